/** A model file of a preset with random weights: what its figures of speed need, and nothing that it knows. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { size } from '../src/base/shape.ts'
import { Stream, USE } from '../src/base/rng.ts'
import { saveCheckpoint } from '../src/io/checkpoint.ts'
import { KEPT } from '../src/io/model-file.ts'
import { tensorOf, type Tensor } from '../src/io/safetensors.ts'
import { Builder } from '../src/graph/builder.ts'
import { inferenceGraphs } from '../src/model/bitgen.ts'
import { modelConfig, type PresetName } from '../src/model/config.ts'
import { memoryPrior } from '../src/model/heads.ts'
import { initialValue, parameters } from '../src/model/init.ts'
import { VocabularyMap } from '../src/text/vocabulary.ts'
import { trainConfig } from '../src/train/config.ts'
import { exportModel } from '../src/train/export.ts'

/** Rows of the vocabulary table: about as many as the shipped model has. */
export const ROWS = 4836

/** The bytes of the file; weights are drawn round their initial values, so that no block is the identity. */
export async function randomModel(preset: PresetName): Promise<Uint8Array> {
  const kept = VocabularyMap.of(Array.from({ length: ROWS - 2 }, (_, id) => id))
  const config = modelConfig(preset, { vocabulary: kept.size })
  const memory = new Builder('memory')
  memoryPrior(memory, config)
  const tensors = new Map<string, Tensor>([
    [KEPT, tensorOf(kept.kept)],
    ['itc.log_temperature', tensorOf(Float32Array.of(-2.5))],
  ])
  for (const parameter of [...inferenceGraphs(config), memory.graph].flatMap(parameters)) {
    const stream = new Stream(1, 0, size(parameter.shape), USE.init)
    const values = initialValue(parameter, 1).map((value) => value + 0.02 * stream.normal())
    tensors.set(parameter.name!, tensorOf(values, parameter.shape as number[]))
  }
  const data = { images: '.', train: '.', validation: '.' }
  const run = trainConfig({ name: preset, model: { preset }, data, output: '.', steps: 1 }, '.')
  const metadata = {
    kind: 'checkpoint',
    config: JSON.stringify(run),
    model: JSON.stringify(config),
    source: 'null',
    progress: JSON.stringify({ step: 0 }),
  }
  const folder = mkdtempSync(join(tmpdir(), 'bitgen-bench-'))
  try {
    return await exportModel(saveCheckpoint(folder, 0, tensors, metadata))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
