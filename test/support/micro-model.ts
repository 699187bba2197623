/**
 * A small model of initial values, exported the way that a trained one is: for tests that need a model file and not
 * its knowledge. Takes a fraction of a second.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { size } from '../../src/base/shape.ts'
import type { Pixels } from '../../src/image/pixels.ts'
import { saveCheckpoint } from '../../src/io/checkpoint.ts'
import { KEPT } from '../../src/io/model-file.ts'
import { tensorOf, type Tensor } from '../../src/io/safetensors.ts'
import { Builder } from '../../src/graph/builder.ts'
import { inferenceGraphs } from '../../src/model/bitgen.ts'
import { modelConfig } from '../../src/model/config.ts'
import { memoryPrior } from '../../src/model/heads.ts'
import { initialValue, parameters } from '../../src/model/init.ts'
import type { LossWeights } from '../../src/model/objective.ts'
import { trainConfig } from '../../src/train/config.ts'
import { exportModel, type ExportOptions } from '../../src/train/export.ts'
import { VocabularyMap } from '../../src/text/vocabulary.ts'
import { Stream, USE } from '../../src/base/rng.ts'
import { builtModule } from './kernels.ts'

/** Ids of GPT-2 that have rows of their own. */
export const MICRO_IDS = Array.from({ length: 40 }, (_, i) => 200 + 7 * i)
const KEPT_IDS = VocabularyMap.of(MICRO_IDS)

/** All kinds of weights, few of them: a stem, ternary blocks of every part, a pruned vocabulary. */
const MICRO = modelConfig('nano', {
  vocabulary: KEPT_IDS.size,
  channels: 32,
  heads: 2,
  ffn: 64,
  textLayers: 2,
  fusionLayers: 1,
  decoderLayers: 1,
  slots: 8,
  maxLength: 12,
  image: 32,
  vision: { hidden: 32, depth: 1, heads: 2, stem: [8, 16, 24], storedImage: 32 },
})

/** Longest text that the micro model takes, and the length of its vectors. */
export const [MICRO_LENGTH, MICRO_CHANNELS] = [MICRO.maxLength, MICRO.channels]

/** Noise on a gradient, other for every seed. */
export function picture(seed: number, width = 40, height = 24, channels: 3 | 4 = 3): Pixels {
  const stream = new Stream(seed, 0, 0, USE.init)
  const noise = () => 40 * stream.normal() + 128
  const data = Uint8ClampedArray.from({ length: width * height * channels }, (_, i) => noise() + (i % width))
  return { data, width, height, channels }
}

/** Losses of a run that trains retrieval alone: its model cannot match, caption or be taught. */
export const RETRIEVAL: Partial<LossWeights> = { itm: 0, text: 0, memory: 0 }

/** The bytes of its file, as a run with these losses leaves it (default: all parts); the same at every call. */
export async function microModel(
  losses: Partial<LossWeights> = {},
  { matchSimilarity = true, ...options }: Pick<ExportOptions, 'scope'> & { matchSimilarity?: boolean } = {},
): Promise<Uint8Array> {
  const model = { ...MICRO, matchSimilarity }
  const memory = new Builder('memory')
  memoryPrior(memory, model)
  const graphs = [...inferenceGraphs(model), memory.graph]
  const tensors = new Map<string, Tensor>([
    [KEPT, tensorOf(KEPT_IDS.kept)],
    ['itc.log_temperature', tensorOf(Float32Array.of(-2.5))],
  ])
  for (const parameter of graphs.flatMap(parameters)) {
    const { name, shape } = parameter
    // Initial blocks are near the identity, which would hide a fault in them: everything is drawn at random here.
    const stream = new Stream(1, 0, size(shape), USE.init)
    const values = initialValue(parameter, 1).map((value) => value + 0.1 * stream.normal())
    tensors.set(name!, tensorOf(values, shape as number[]))
  }
  const config = trainConfig(
    {
      name: 'micro',
      model: { preset: 'nano' },
      data: { images: '.', train: '.', validation: '.' },
      output: '.',
      steps: 1,
      losses,
    },
    '.',
  )
  const metadata = {
    kind: 'checkpoint',
    config: JSON.stringify(config),
    model: JSON.stringify(model),
    source: 'null',
    progress: JSON.stringify({ step: 0 }),
  }
  const folder = mkdtempSync(join(tmpdir(), 'bitgen-micro-'))
  try {
    return exportModel(saveCheckpoint(folder, 0, tensors, metadata), {
      kernels: await builtModule('scalar'),
      ...options,
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
