/**
 * What a training step takes: images/s, and how its time splits over kernels, with made-up pictures and texts of the
 * size of the emoji corpus, so that no corpus is needed. One thread. Losses mean nothing here.
 */
import { Stream, USE } from '../src/base/rng.ts'
import type { CaptionedImage } from '../src/data/coco.ts'
import type { Kernels } from '../src/runtime/kernels.ts'
import { batchIds, VocabularyMap } from '../src/text/vocabulary.ts'
import { trainConfig, type TrainConfig } from '../src/train/config.ts'
import type { TrainData } from '../src/train/data.ts'
import { Trainer } from '../src/train/trainer.ts'
import type { PresetName } from '../src/model/config.ts'
import type { Peaks } from './peaks.ts'
import { products, profiled, profileLines, type ProfileRow } from './profile.ts'
import { ROWS } from './random-model.ts'
import { summary, type Summary } from './timing.ts'

export interface StageFigures {
  name: string
  /** Of one step. */
  ms: Summary
  steps: number
  /** At the median. */
  imagesPerSecond: number
  /** What was watched afterwards: all of the time, and that of the kernels. */
  watched: { steps: number; ms: number; split: ProfileRow[] }
  matmuls: {
    /** Of the time of a step. */
    share: number
    /** Of those in float, and against their register-only peak. */
    gmacs: number
    ofPeak: number
  }
}

export interface TrainFigures {
  name: string
  /** Pictures of a step. */
  images: number
  parameters: number
  stages: StageFigures[]
  /** Bytes: what the plans promise, and what WebAssembly has grown to, whole pages included. */
  memory: { promised: number; wasm: number }
}

/** Pictures, and concepts that they are of. */
const [PICTURES, CONCEPTS] = [1024, 512]
/** Ids of a text without BOS and EOS, as in the emoji corpus. */
const [SHORTEST, LONGEST] = [1, 6]
const BATCH = 64

/** A run of a preset as the shipped model was trained, a stage of contrast alone before that of all losses. */
export function benchConfig(preset: PresetName, batch = BATCH): TrainConfig {
  const data = { images: '.', train: '.', validation: '.' }
  const run = { name: preset, model: { preset }, data, output: '.', steps: 1000, batch, accumulate: 1, joinAt: 0.5 }
  const losses = { imageContrast: 0.5 }
  return trainConfig({ ...run, losses, concepts: true, queue: 0, maxTokens: LONGEST + 2, vocabulary: 'seen' }, '.')
}

/** Pictures of noise; texts are numbers of rows of the vocabulary, as words. */
function syntheticData({ model, maxTokens, vocabulary }: TrainConfig): TrainData {
  const longest = Math.min(LONGEST, maxTokens - 2)
  const bytes = 3 * model.image ** 2
  const noise = Uint8Array.from({ length: 2 * bytes }, (_, i) => (i * 2654435761) >>> 24)
  const images = Array.from({ length: PICTURES }, (_, i): CaptionedImage => {
    const stream = new Stream(1, i, 0, USE.init)
    const length = SHORTEST + stream.below(longest - SHORTEST + 1)
    const words = Array.from({ length }, () => stream.below(ROWS - 2))
    return { id: i, path: String(i), captions: [words.join(' ')], keywords: [], concept: i % CONCEPTS }
  })
  const pixels = (index: number) => noise.subarray(index, index + bytes)
  const ends = ROWS - 2
  return {
    train: { images, pixels },
    samples: images.map(({ captions, keywords, concept }) => ({ captions, keywords, concept: concept as number })),
    validation: { images: images.slice(0, 1), pixels },
    seen: VocabularyMap.of([]),
    encode: (texts) => batchIds(texts.map((text) => [ends, ...text.split(' ').map(Number), ends])),
    vocabulary: vocabulary === 'seen' ? ROWS : model.vocabulary,
    source: null,
    sha256: '',
  }
}

export interface TrainOptions {
  peaks: Peaks
  quick: boolean
  onStage?: (stage: StageFigures) => void
}

export async function measureTraining(
  kernels: Kernels,
  config: TrainConfig,
  { peaks, quick, onStage }: TrainOptions,
): Promise<TrainFigures> {
  const trainer = new Trainer(kernels, config, syntheticData(config))
  const images = config.batch * config.accumulate
  const joined = Math.floor(config.joinAt * config.steps)
  const whole = { name: 'all losses', from: joined + 1 }
  const stages: StageFigures[] = []
  for (const { name, from } of joined > 0 ? [{ name: 'contrast alone', from: 1 }, whole] : [whole]) {
    let step = from
    const next = () => {
      const start = performance.now()
      trainer.step(step++)
      return performance.now() - start
    }
    // Long loops are replaced by the optimising compiler within the first step.
    for (let i = 0; i < (quick ? 1 : 2); i++) next()
    const steps = quick ? 2 : 8
    const ms = summary(Array.from({ length: steps }, next))
    const watched = quick ? 1 : 2
    let all = 0
    const split = await profiled(trainer.executor, peaks, false, () => {
      for (let i = 0; i < watched; i++) all += next()
    })
    const isMatmul = (family: string) => family.startsWith('matmul_')
    const float = products(split, (family) => isMatmul(family) && !family.includes('i8'))
    const stage = {
      name,
      ms,
      steps,
      imagesPerSecond: (1000 * images) / ms.median,
      watched: { steps: watched, ms: all, split },
      matmuls: {
        share: products(split, isMatmul).ms / all,
        gmacs: float.macs / float.ms / 1e6,
        ofPeak: float.leastMs / float.ms,
      },
    }
    stages.push(stage)
    onStage?.(stage)
  }
  const memory = {
    promised: trainer.executor.memoryUse.total,
    wasm: kernels.memory.buffer.byteLength,
  }
  return { name: config.name, images, parameters: trainer.size, stages, memory }
}

export function stageText({ name, ms, steps, imagesPerSecond, watched, matmuls }: StageFigures): string {
  const times = [ms.min, ms.median, ms.p95].map((value) => value.toFixed(0)).join(' / ')
  const kernelsMs = watched.split.reduce((sum, row) => sum + row.ms, 0)
  return [
    `  ${name}: ${imagesPerSecond.toFixed(1)} images/s, ${times} ms a step, ${steps} steps`,
    `    matmuls: ${Math.round(100 * matmuls.share)} % of the time; those in float ${matmuls.gmacs.toFixed(1)} GMAC/s, ` +
      `${Math.round(100 * matmuls.ofPeak)} % of peak`,
    ...profileLines(watched.split, watched.ms),
    `    ${'host'.padEnd(28)} ${((100 * (watched.ms - kernelsMs)) / watched.ms).toFixed(1).padStart(5)} %`,
  ].join('\n')
}

export function trainText({ memory: { promised, wasm } }: TrainFigures): string {
  const [plans, grown] = [promised, wasm].map((bytes) => `${(bytes / 1e6).toFixed(1)} MB`)
  return `  memory: promised ${plans}, WebAssembly ${grown}`
}
