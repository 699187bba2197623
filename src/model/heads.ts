/**
 * What is read from the fused pass: whether text and image match (model.md section 5; ALBEF, arXiv 2107.07651), and the
 * code of the episodic memory (section 6; Larimar, arXiv 2403.11901).
 */
import type { Builder } from '../graph/builder.ts'
import type { Value } from '../graph/graph.ts'
import { add } from '../ops/add.ts'
import { concat } from '../ops/concat.ts'
import { meanRows } from '../ops/mean_rows.ts'
import { multiply } from '../ops/multiply.ts'
import { takeFirst } from '../ops/take_first.ts'
import { tanh } from '../ops/tanh.ts'
import { weightedSum } from '../ops/weighted_sum.ts'
import type { ModelConfig } from './config.ts'
import type { Fused } from './fusion.ts'
import { linear, norm } from './layers.ts'

const MEMORY_NORM_EPS = 1e-5

/** What stands for each pair: the text's first position and the image's mean, [B,C] both. */
export interface Pooled {
  text: Value
  image: Value
}

export function poolFused(b: Builder, { h, w }: Fused): Pooled {
  return { text: takeFirst(b, h), image: meanRows(b, w, null) }
}

/**
 * Products of unit vectors are small, and the logits of the contrast are 1/T, about 20, times their sum; Adam moves all
 * weights alike. With a factor of 20 these had come half of the way after 700 steps.
 */
const SIMILARITY_SCALE = 100

/**
 * Logits [B,2] of pairs; class 1 is a match. Given the contrastive features of the pairs [B,C] (`matchSimilarity`), a
 * second linear reads text times image by channel, the sum of which is the similarity: the published head alone cannot
 * form products.
 */
export function matchLogits(b: Builder, config: ModelConfig, { text, image }: Pooled, features: Pooled | null): Value {
  const pooled = (name: string, x: Value) => tanh(b, linear(b, `itm.${name}_pooler`, 'f32', x, config.channels))
  const logits = linear(b, 'itm.head', 'f32', concat(b, pooled('text', text), pooled('image', image)), 2)
  if (!features) return logits
  const similarity = linear(b, 'itm.similarity', 'f32', multiply(b, features.text, features.image), 2)
  return add(b, logits, weightedSum(b, [similarity], [SIMILARITY_SCALE]))
}

/** Codes z [B,C] of pairs, as the memory stores them. */
export function memoryCode(b: Builder, { channels }: ModelConfig, { text, image }: Pooled): Value {
  const y = linear(b, 'memory.code', 'f32', concat(b, text, image), channels)
  return norm(b, 'memory.norm', y, MEMORY_NORM_EPS)
}

/** Name of the prior mean M0 of the memory [slots,C]. */
export const MEMORY_PRIOR = 'memory.prior_mean'

export function memoryPrior(b: Builder, { slots, channels }: ModelConfig): Value {
  return b.parameter(MEMORY_PRIOR, [slots, channels])
}
