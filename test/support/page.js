/**
 * The page of browser.test.ts, served as it is under a strict policy: nothing but `bitgen/core`. Loads the model for
 * each target and number of threads, embeds what it is given and posts vectors, as bits, and times.
 */
import { BitGen } from '/build/core.js'

/** Pixels of a picture by the browser's own decoder. */
async function pixelsOf(url) {
  const bitmap = await createImageBitmap(await (await fetch(url)).blob())
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')
  context.drawImage(bitmap, 0, 0)
  return context.getImageData(0, 0, bitmap.width, bitmap.height)
}

const bits = ({ data }) => Array.from(new Uint32Array(data.buffer))

async function run({ target = undefined, threads }, ids) {
  let progress
  const start = performance.now()
  const model = await BitGen.load('/model', { target, threads, onProgress: (...now) => (progress = now) })
  const loadMs = performance.now() - start
  const text = await model.embedText(ids)
  const image = await model.embedImage(await pixelsOf('/picture.png'))
  const { isa, threads: used } = model.info()
  model.dispose()
  return { isa, threads: used, loadMs, progress, text: bits(text), image: bits(image) }
}

const { tasks, ids } = await (await fetch('/task')).json()
const results = []
try {
  for (const task of tasks) results.push(await run(task, ids))
} catch (error) {
  results.push({ error: String(error) })
}
await fetch('/results', { method: 'POST', body: JSON.stringify(results) })
