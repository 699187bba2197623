/**
 * One cold start, in the process that load.ts starts for it: imports a script of the package, loads a model, asks for one
 * similarity, and prints the milliseconds of each stage and the memory of the process as JSON.
 * Everything is imported late, so that the stages have the costs of their own modules.
 */
import type { LoadTask } from './load.ts'
import { StartClock } from './start-clock.ts'

const clock = new StartClock()
const lap = (name: string) => clock.lap(name)

const [entry, json] = process.argv.slice(2)
const task: LoadTask = JSON.parse(json)
const options = { target: task.target, threads: task.threads }
const script = (name: string) => import(new URL(`./${name}.js`, import.meta.url).href)

if (entry === 'packages') {
  await import('sharp')
  lap('import sharp')
  await import('gpt-tokenizer/encoding/r50k_base')
  lap('import gpt-tokenizer')
} else if (entry === 'bitgen') {
  const { BitGen } = (await script('index')) as typeof import('../src/index.ts')
  lap('import bitgen')
  const model = await BitGen.load(task.model, options)
  lap('load')
  await model.similarity(task.picture, task.text)
  lap('first similarity')
} else {
  const { open, readFile } = await import('node:fs/promises')
  const data = new Uint8Array(await readFile(task.pixels.path))
  const pixels = { ...task.pixels, data, channels: 3 as const }
  // Pictures and ids are at hand where `bitgen/core` runs.
  clock.skip()
  if (entry === 'core') {
    const { BitGen } = (await script('core')) as typeof import('../src/core.ts')
    lap('import bitgen/core')
    const file = open(task.model)
    const model = await BitGen.load(file, options)
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
clock.print()
