/**
 * The objective of training (model.md section 8): contrast, matching on the fused pass with hard negatives, text
 * reconstruction by the decoder, and the memory's KL, weighted as the card says. A weight of 0 leaves a part out, and
 * with it whatever only that part needs.
 */
import type { Builder } from '../graph/builder.ts'
import type { Value } from '../graph/graph.ts'
import { concat, slice } from '../ops/concat.ts'
import { crossEntropy } from '../ops/cross_entropy.ts'
import { drawNegatives } from '../ops/draw_negatives.ts'
import { matchingPairs } from '../ops/matching_pairs.ts'
import { memoryEpisodes } from '../ops/memory_episodes.ts'
import { reshape } from '../ops/reshape.ts'
import { retrievalAccuracy } from '../ops/retrieval_accuracy.ts'
import { scaleBy } from '../ops/scale_by.ts'
import { scaleRows } from '../ops/scale_rows.ts'
import { takeRows } from '../ops/take_rows.ts'
import { vocabularyLoss } from '../ops/vocabulary_loss.ts'
import { weightedSum } from '../ops/weighted_sum.ts'
import { times, type Dim } from '../base/shape.ts'
import type { ModelConfig } from './config.ts'
import { decode } from './decoder.ts'
import { encodeFused, encodeImage, type Fused } from './fusion.ts'
import { matchLogits, memoryCode, memoryPrior, poolFused } from './heads.ts'
import type { States } from './layers.ts'
import { contrastLosses, features, imageProjection, textProjection, type ContrastLosses, type Queue } from './losses.ts'
import { embedText, encodePrefix, encodeText, tokenTable } from './text.ts'

/** What each loss counts for; 0 leaves it out. */
export interface LossWeights {
  itc: number
  itm: number
  text: number
  memory: number
  imageContrast: number
}

/** The batch, as values that the host writes. */
export interface Batch {
  /** [B,T] and [B] i32. */
  ids: Value
  lengths: Value
  /** Vision tokens of the images [B,1+P,C]. */
  v: Value
  /** [B] i32: what each pair is of. Equal ones are positives or masked, and never negatives. */
  concepts: Value
  negatives: Negatives
  text: TextTargets
}

/**
 * Where matching gets its pairs that do not match: drawn in the step by uniform numbers [B] from the softmax of the
 * similarities of the batch times `hardness` [1] (1: the logits of the contrast, 0: all alike), or given as rows [B] i32 of the batch with `extra` samples behind it.
 */
export type Negatives =
  | { kind: 'drawn'; text: Value; image: Value; hardness: Value }
  | { kind: 'given'; text: Value; image: Value; extra: Extra | null }

/** Samples that were made again for their sake; `rows` is the symbol of B plus their number. */
export interface Extra {
  ids: Value
  lengths: Value
  v: Value
  rows: string
}

/** What the decoder learns from. */
export interface TextTargets {
  /** [B,T] i32: the texts to be reconstructed. */
  ids: Value
  /** Rows of [B*T] that have a target, and their targets: [R] i32. */
  rows: Value
  targets: Value
  /** [B] f32: 1 where a sample reads from the memory, 0 where not; [B] i32: 2+P and 1+P. */
  reads: Value
  visible: Value
}

export interface ObjectiveOptions {
  weights: LossWeights
  /** Positives are all keys of the same concept. */
  concepts: boolean
  queue: Queue | null
  /** Codes of an episode of the memory. */
  episode: number
  labelSmoothing: number
}

export interface Objective {
  total: Value
  textFeatures: Value
  imageFeatures: Value
  /** What the host reads, by name. */
  report: Map<string, Value>
}

/** What encoders make of a batch: what fusion and decoder read, and the contrastive features [B,C]. */
export interface Unimodal {
  prefix: States
  w: Value
  textFeatures: Value
  imageFeatures: Value
}

/** The unimodal side of a batch. */
export function unimodal(
  b: Builder,
  config: ModelConfig,
  { ids, lengths, v }: Pick<Batch, 'ids' | 'lengths' | 'v'>,
  touched: Value | null = null,
): Unimodal {
  const prefix = encodePrefix(b, config, { x: embedText(b, config, ids, touched), lengths })
  const w = encodeImage(b, config, v)
  const textFeatures = features(b, textProjection(b, config, encodeText(b, config, prefix), lengths))
  return { prefix, w, textFeatures, imageFeatures: features(b, imageProjection(b, config, w)) }
}

/** The objective of a batch; `touched` are the marks of the vocabulary rows, where it is trained with them. */
export function objective(
  b: Builder,
  config: ModelConfig,
  batch: Batch,
  options: ObjectiveOptions,
  touched: Value | null = null,
): Objective {
  const { weights } = options
  const own = unimodal(b, config, batch, touched)
  const { prefix, w, textFeatures, imageFeatures } = own
  const contrast = contrastLosses(b, textFeatures, imageFeatures, batch.concepts, {
    ...options,
    images: weights.imageContrast > 0,
  })
  const losses = new Map<keyof LossWeights, Value>([['itc', contrast.itc]])
  if (contrast.imageContrast) losses.set('imageContrast', contrast.imageContrast)
  const report = new Map<string, Value>([
    ['acc_t2i', retrievalAccuracy(b, contrast.t2i, batch.concepts)],
    ['acc_i2t', retrievalAccuracy(b, contrast.i2t, batch.concepts)],
  ])

  let fused: Fused | undefined
  if (weights.itm > 0) {
    const matching = matchingLoss(b, config, batch, own, contrast)
    losses.set('itm', matching.loss)
    report.set('match_logits', matching.logits)
    report.set('match_labels', matching.labels)
    fused = matching.fused
  } else if (weights.text > 0 || weights.memory > 0) fused = encodeFused(b, config, prefix, batch.v)
  if (fused) {
    const B = batch.ids.shape[0]
    const { text, image } = poolFused(b, fused)
    const code = memoryCode(b, config, { text: firstRows(b, text, B), image: firstRows(b, image, B) })
    const memory = memoryEpisodes(b, code, memoryPrior(b, config), options.episode)
    losses.set('memory', memory.kl)
    report.set('memory_utilization', memory.utilization)
    report.set('code', code)
    report.set('read', memory.read)
    if (weights.text > 0) {
      const text = textLoss(b, config, batch.text, w, memory.read, options.labelSmoothing)
      losses.set('text', text.loss)
      report.set('nll', text.nll)
      report.set('token_accuracy', text.hits)
    }
  }
  for (const [name, loss] of losses) report.set(name, loss)
  const counted = [...losses].filter(([name]) => weights[name] > 0)
  const total = weightedSum(
    b,
    counted.map(([, loss]) => loss),
    counted.map(([name]) => weights[name]),
  )
  report.set('loss', total)
  return { total, textFeatures, imageFeatures, report }
}

/** Matching over 3B fused pairs: (I,T), (I, another text), (another image, T). */
function matchingLoss(
  b: Builder,
  config: ModelConfig,
  { concepts, lengths, v, negatives }: Batch,
  { prefix, textFeatures, imageFeatures }: Unimodal,
  { t2i, i2t, logT }: ContrastLosses,
): { loss: Value; logits: Value; labels: Value; fused: Fused } {
  const drawn = (scores: Value, draws: Value, hardness: Value) =>
    drawNegatives(b, scaleBy(b, scores, hardness), null, logT, concepts, null, null, draws)
  const { text: textRows, image: imageRows } = negatives
  const pairs =
    negatives.kind === 'drawn'
      ? matchingPairs(b, drawn(i2t, textRows, negatives.hardness), drawn(t2i, imageRows, negatives.hardness))
      : matchingPairs(b, textRows, imageRows)
  let pool = { x: prefix.x, lengths, v, text: textFeatures, image: imageFeatures }
  if (negatives.kind === 'given' && negatives.extra) {
    const { extra } = negatives
    const more = unimodal(b, config, extra)
    const appended = (x: Value, y: Value) => append(b, x, y, extra.rows)
    pool = {
      x: appended(pool.x, more.prefix.x),
      lengths: appended(lengths, extra.lengths),
      v: appended(v, extra.v),
      text: appended(pool.text, more.textFeatures),
      image: appended(pool.image, more.imageFeatures),
    }
  }
  const ofTexts = (x: Value) => takeRows(b, x, pairs.textRows)
  const ofImages = (x: Value) => takeRows(b, x, pairs.imageRows)
  const fused = encodeFused(b, config, { x: ofTexts(pool.x), lengths: ofTexts(pool.lengths) }, ofImages(pool.v))
  const pairFeatures = config.matchSimilarity ? { text: ofTexts(pool.text), image: ofImages(pool.image) } : null
  const logits = matchLogits(b, config, poolFused(b, fused), pairFeatures)
  return { loss: crossEntropy(b, logits, pairs.labels), logits, labels: pairs.labels, fused }
}

/** Reconstruction of the text from the image, and for some samples from what the memory read. */
function textLoss(
  b: Builder,
  config: ModelConfig,
  text: TextTargets,
  w: Value,
  read: Value,
  labelSmoothing: number,
): { loss: Value; nll: Value; hits: Value } {
  const x = decode(b, config, embedText(b, config, text.ids, null), w, scaleRows(b, read, text.reads), text.visible)
  const [B, T, C] = x.shape
  const rows = takeRows(b, reshape(b, x, [times(B, T), C]), text.rows)
  return vocabularyLoss(b, rows, tokenTable(b, config), text.targets, labelSmoothing)
}

/** The first `count` rows of x [N,C]. */
function firstRows(b: Builder, x: Value, count: Dim): Value {
  const [N, C] = x.shape
  return N === count ? x : reshape(b, slice(b, reshape(b, x, [1, N, C]), 0, count), [count, C])
}

/** Rows of y behind those of x; `rows` is the symbol of their number. */
function append(b: Builder, x: Value, y: Value, rows: string): Value {
  const [, ...rest] = x.shape
  return reshape(b, concat(b, reshape(b, x, [1, ...x.shape]), reshape(b, y, [1, ...y.shape]), rows), [rows, ...rest])
}
