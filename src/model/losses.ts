/**
 * Contrastive features and losses (model.md sections 5 and 8): ITC over batch and queue (ALBEF, arXiv 2107.07651),
 * positives by concept and image against image (SupCon 2004.11362, SLIP 2112.12750).
 */
import type { Builder } from '../graph/builder.ts'
import type { Value } from '../graph/graph.ts'
import { contrastLoss } from '../ops/contrast_loss.ts'
import { gridPool } from '../ops/grid_pool.ts'
import { l2Normalize } from '../ops/l2_normalize.ts'
import { matmul } from '../ops/matmul.ts'
import { meanRows } from '../ops/mean_rows.ts'
import { takeFirst } from '../ops/take_first.ts'
import { weightedSum } from '../ops/weighted_sum.ts'
import type { ModelConfig } from './config.ts'
import { linear } from './layers.ts'

/** h [B,T,C] -> projection of the pooled text [B,C], not yet of unit norm. */
export function textProjection(b: Builder, config: ModelConfig, h: Value, lengths: Value): Value {
  const pooled = config.textPool === 'mean' ? meanRows(b, h, lengths) : takeFirst(b, h)
  return linear(b, 'itc.text_proj', 'f32', pooled, config.channels)
}

/** w [B,1+P,C] -> projection of the pooled image [B,C], not yet of unit norm. */
export function imageProjection(b: Builder, config: ModelConfig, w: Value): Value {
  const pooled = config.imagePool === 'grid' ? gridPool(b, w) : meanRows(b, w, null)
  return linear(b, 'itc.image_proj', 'f32', pooled, config.channels)
}

/** Unit-norm features [B,C] of projections. */
export function features(b: Builder, projection: Value): Value {
  return l2Normalize(b, projection)
}

/** Keys of earlier batches: features [Q,C] of both sides, ids [Q], how many are filled [1]. */
export interface Queue {
  text: Value
  image: Value
  ids: Value
  filled: Value
}

export interface ContrastOptions {
  /** Positives are all keys of the same concept; otherwise the own pair, and the same image is masked. */
  concepts: boolean
  /** Whether images are contrasted with images. */
  images: boolean
  queue: Queue | null
}

export interface ContrastLosses {
  itc: Value
  imageContrast?: Value
  logT: Value
  /** Similarities of the batch, rows texts and columns images, and the other way. */
  t2i: Value
  i2t: Value
}

/** The trained logarithm of the temperature [1]. */
export function logTemperature(b: Builder): Value {
  return b.parameter('itc.log_temperature', [1])
}

/** Losses of features t, i [B,C]; `ids` [B] are images, or concepts. */
export function contrastLosses(b: Builder, t: Value, i: Value, ids: Value, options: ContrastOptions): ContrastLosses {
  const { queue } = options
  const logT = logTemperature(b)
  const mode = options.concepts ? 'concepts' : 'single'
  const direction = (scores: Value, own: Value, keys: Value | undefined) =>
    contrastLoss(
      b,
      scores,
      keys ? matmul(b, own, keys) : null,
      logT,
      ids,
      queue?.ids ?? null,
      queue?.filled ?? null,
      mode,
    )
  const t2i = matmul(b, t, i)
  const i2t = matmul(b, i, t)
  const itc = weightedSum(b, [direction(t2i, t, queue?.image), direction(i2t, i, queue?.text)], [0.5, 0.5])
  const imageContrast = options.images
    ? contrastLoss(b, matmul(b, i, i), null, logT, ids, null, null, 'image')
    : undefined
  return { itc, imageContrast, logT, t2i, i2t }
}
