/**
 * What `BitGen.load` and a first `similarity` do, one step after the other with a time for each: the parts of
 * runtime/session.ts, and kernels checked behind the file, which a load reads meanwhile.
 */
import { open } from 'node:fs/promises'
import type { Pixels } from '../src/image/pixels.ts'
import { MAX_MEMORY } from '../src/core.ts'
import { incoming } from '../src/io/fetch.ts'
import { readModelFile } from '../src/io/model-file.ts'
import { KERNELS } from '../src/kernels.ts'
import { Kernels } from '../src/runtime/kernels.ts'
import { checkAnswers } from '../src/runtime/known-answers.ts'
import { landIn } from '../src/runtime/landing.ts'
import { resizeImage, writePixels } from '../src/runtime/preprocess.ts'
import { requireSound } from '../src/runtime/sound.ts'
import { chooseVariants } from '../src/runtime/trial.ts'
import { executorOf } from '../src/runtime/weights.ts'
import { batchIds, VocabularyMap } from '../src/text/vocabulary.ts'
import type { LoadTask } from './load.ts'

/** Calls `lap` with the name of each step behind it. */
export async function loadInStages(task: LoadTask, picture: Pixels, lap: (name: string) => void): Promise<void> {
  // Found again by what loads it.
  await import(`../build/kernels-${task.target}.js`)
  lap('import the kernels')
  const { wasm, manifest } = await KERNELS.find(({ isa }) => isa === task.target)!.load()
  lap('base64 to bytes')
  const module = await WebAssembly.compile(wasm)
  lap('compile')
  const kernels = new Kernels(manifest, await WebAssembly.instantiate(module, {}))
  lap('instantiate')
  const handle = await open(task.model)
  const bytes = await landIn(kernels, await incoming(handle, MAX_MEMORY))
  lap('read the file')
  checkAnswers(kernels)
  lap('known answers')
  chooseVariants(kernels)
  lap('trial of variants')
  const file = readModelFile(bytes)
  lap('check and parse the file')
  const vocabulary = file.kept && new VocabularyMap(file.kept.slice())
  lap('vocabulary')
  requireSound(file, kernels)
  lap('verify the plans')
  const executor = executorOf(file, kernels)
  lap('lay out memory')

  const rgb = resizeImage(executor, picture, file.manifest.image)
  writePixels(executor, 'encodeImage', rgb, 0, { B: 1 })
  lap('resize the picture')
  executor.run('encodeImage', { B: 1 })
  lap('encode the picture')
  const { ids, lengths, T } = batchIds([task.ids], vocabulary)
  const symbols = { B: 1, T }
  executor.io('encodeText', 'ids', symbols).set(ids)
  executor.io('encodeText', 'lengths', symbols).set(lengths)
  executor.run('encodeText', symbols)
  lap('encode the text')
  await handle.close()
}
