/**
 * Writes the texts of a batch into the inputs of a plan (train/step.ts). What a plan does not take, because no loss with
 * a weight needs it, is left out.
 */
import type { TensorData } from '../base/dtype.ts'
import type { Symbols } from '../base/shape.ts'
import type { Executor } from '../runtime/execute.ts'
import type { TokenBatch } from '../text/vocabulary.ts'

/** One sample of a batch. */
export interface FeedSample {
  caption: string
  /** What the decoder is to say: the caption where it reads from the memory, else perhaps another of the picture. */
  target: string
  concept: number
  readsMemory: boolean
  /** Uniform in [0,1): which text does not match the image, and which image the text. */
  draws: readonly [text: number, image: number]
  /** What a queue keeps of the sample. */
  number: number
}

export interface FeedOptions {
  encode(texts: readonly string[]): TokenBatch
  /** Keys of the decoder's cross-attention without the slot of the memory: 1+P. */
  imageKeys: number
  /** How hard drawn negatives are, from 0 to 1 (model/objective.ts). */
  hardness: number
}

/**
 * Writes all inputs but pictures and given negatives, and answers the symbols to run with. `again` are the captions of
 * samples of the queue that are made again.
 */
export function feedTexts(
  executor: Executor,
  plan: string,
  samples: readonly FeedSample[],
  { encode, imageKeys, hardness }: FeedOptions,
  again: readonly string[] = [],
): Symbols {
  const [B, X] = [samples.length, again.length]
  const captions = samples.map(({ caption }) => caption)
  const { ids, lengths, T } = encode([...captions, ...samples.map(({ target }) => target), ...again])
  const targetIds = ids.subarray(B * T, 2 * B * T)
  const { rows, targets } = nextTokens(targetIds, lengths.subarray(B, 2 * B), T)
  const symbols = { B, T, R: rows.length, X, S: B + X }
  writeInputs(executor, plan, symbols, {
    ids: ids.subarray(0, B * T),
    lengths: lengths.subarray(0, B),
    concepts: samples.map(({ concept }) => concept),
    samples: samples.map(({ number }) => number),
    draw_text: samples.map(({ draws }) => draws[0]),
    draw_image: samples.map(({ draws }) => draws[1]),
    hardness: [hardness],
    target_ids: targetIds,
    target_rows: rows,
    targets,
    reads: samples.map(({ readsMemory }) => Number(readsMemory)),
    visible: samples.map(({ readsMemory }) => imageKeys + Number(readsMemory)),
    extra_ids: ids.subarray(2 * B * T),
    extra_lengths: lengths.subarray(2 * B),
  })
  return symbols
}

/** Writes those inputs that the plan has. */
export function writeInputs(
  executor: Executor,
  plan: string,
  symbols: Symbols,
  inputs: Record<string, ArrayLike<number>>,
): void {
  for (const [name, data] of Object.entries(inputs)) {
    if (executor.hasIo(plan, name)) (executor.io(plan, name, symbols) as TensorData).set(data)
  }
}

/** Rows of ids [B,T] that are followed by a real token, and those tokens. */
export function nextTokens(ids: Int32Array, lengths: Int32Array, T: number): { rows: number[]; targets: number[] } {
  const rows = Array.from(lengths, (length, b) => Array.from({ length: length - 1 }, (_, t) => b * T + t)).flat()
  return { rows, targets: rows.map((row) => ids[row + 1]) }
}
