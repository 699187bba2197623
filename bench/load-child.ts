/**
 * One cold start, in the process that load.ts starts for it: imports a script of the package, loads a model, asks for one
 * similarity, and prints the milliseconds of each stage and the memory of the process as JSON.
 * Everything is imported late, so that the stages have the costs of their own modules.
 */
import type { ColdStart, LoadTask } from './load.ts'

let last = performance.now()
const start: ColdStart = { nodeMs: last, stages: {}, bytes: 0 }
const lap = (name: string) => {
  const now = performance.now()
  start.stages[name] = now - last
  last = now
}

const [entry, json] = process.argv.slice(2)
const task: LoadTask = JSON.parse(json)
const script = (name: string) => import(new URL(`./${name}.js`, import.meta.url).href)

if (entry === 'packages') {
  await import('sharp')
  lap('import sharp')
  await import('gpt-tokenizer/encoding/r50k_base')
  lap('import gpt-tokenizer')
} else if (entry === 'bitgen') {
  const { BitGen } = (await script('index')) as typeof import('../src/index.ts')
  lap('import bitgen')
  const model = await BitGen.load(task.model, { target: task.target })
  lap('load')
  await model.similarity(task.picture, task.text)
  lap('first similarity')
} else {
  const { open, readFile } = await import('node:fs/promises')
  const data = new Uint8Array(await readFile(task.pixels.path))
  const pixels = { ...task.pixels, data, channels: 3 as const }
  // Pictures and ids are at hand where `bitgen/core` runs.
  last = performance.now()
  if (entry === 'core') {
    const { BitGen } = (await script('core')) as typeof import('../src/core.ts')
    lap('import bitgen/core')
    const file = open(task.model)
    const model = await BitGen.load(file, { target: task.target })
    lap('load')
    await model.similarity(pixels, task.ids)
    lap('first similarity')
    await (await file).close()
  } else {
    const { loadInStages } = await import('./load-stages.ts')
    lap('import bitgen/core')
    await loadInStages(task, pixels, lap)
  }
}
// The kernel's own maximum counts what the parent had before it started this process.
start.bytes = process.memoryUsage.rss()
console.log(JSON.stringify(start))
