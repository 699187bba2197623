/**
 * Contrastive losses over the similarities of a batch and of a queue (model.md section 8): one positive a row (ITC,
 * ALBEF, arXiv 2107.07651), all columns of a concept (SupCon, arXiv 2004.11362), or image against image within the
 * batch (SLIP, arXiv 2112.12750). The three differ only in what a column is to a row.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Tensor, Value } from '../graph/graph.ts'
import { exp, log } from '../base/math.ts'
import { requireThat } from '../base/errors.ts'
import { fixed } from '../base/shape.ts'
import { given, like } from './shared.ts'

/**
 * Which columns count in row r, and which of them are positives that share its target equally:
 * `single`: the own column is the positive, others of the same id are left out, as the same image is no negative.
 * `concepts`: every column of the same id is a positive; nothing is left out.
 * `image`: the own column is left out, other columns of the same id are positives; rows without one are left out.
 */
export type ContrastMode = 'single' | 'concepts' | 'image'
const MODES: readonly unknown[] = ['single', 'concepts', 'image'] satisfies ContrastMode[]

/**
 * logits = [scores, queueScores of the filled part] / exp(logT)
 * loss = mean over rows with positives of logsumexp(columns that count) - mean(positives); 0 without such a row
 * in   scores [B,B] f32, queueScores [B,Q] f32 or none, logT [1] f32, ids [B] i32, queueIds [Q] i32 or none,
 *      filled [1] i32 or none
 * out  loss [1] f32; for the gradient rows [B,4] f32: largest score, sum of exp(logit - largest logit), number of
 *      positives, sum of their scores (all 0 in a row without positives)
 * grad dlogits = (softmax - share of the positive) * dloss / rows with positives, dscores = dlogits / exp(logT),
 *      dlogT = -sum(dlogits * logits)
 */
export const contrastLossOp: Op = {
  name: 'contrast_loss',
  infer(inputs, { mode }) {
    const where = 'contrast_loss'
    const [, queueScores, , , queueIds, filled] = inputs
    const [B, columns] = given(inputs, 0, where).shape
    requireThat(B === columns, where, 'scores must have shape [B, B]', inputs[0]!.shape)
    requireThat(given(inputs, 3, where).shape[0] === B, where, `ids must have shape [${B}]`, inputs[3]!.shape)
    requireThat(MODES.includes(mode), where, `mode must be one of ${MODES.join(', ')}`, mode)
    requireThat(
      !queueScores === !queueIds && !queueIds === !filled,
      where,
      'the queue must be given whole or not at all',
    )
    requireThat(!queueScores || mode !== 'image', where, 'the mode image must have no queue')
    return [
      { shape: [1], dtype: 'f32' },
      { shape: [B, 4], dtype: 'f32' },
    ]
  },
  reference(inputs, [loss, saved], { mode }) {
    const T = exp(inputs[2]!.data[0])
    let counted = 0
    for (const [r, row] of rowsOf(inputs, mode as ContrastMode).entries()) {
      const scores = row.scores.filter((_, c) => row.counts[c])
      const positives = row.scores.filter((_, c) => row.positive[c])
      if (positives.length === 0) continue
      const most = Math.max(...scores)
      const total = scores.reduce((sum, score) => sum + exp((score - most) / T), 0)
      const wanted = positives.reduce((sum, score) => sum + score, 0)
      saved.data.set([most, total, positives.length, wanted], r * 4)
      loss.data[0] += log(total) - (wanted / positives.length - most) / T
      counted++
    }
    loss.data[0] /= Math.max(1, counted)
  },
  grad(b, { inputs, attributes, outputs }, [dloss]) {
    const [dscores, dlogT, dqueueScores] = b.apply(contrastLossGradOp, [dloss, ...inputs, outputs[1]], attributes)
    return [dscores, dqueueScores, dlogT]
  },
  lower({ inputs, outputs: [loss, rows], attributes: { mode } }, to) {
    const addresses = [...inputs, loss, rows].map((value) => to.at(value))
    to.call('contrast_loss__f32', ...addresses, inputs[0]!.shape[0], queueLength(inputs[4]), MODES.indexOf(mode))
  },
  cases: [
    ...[1, 3, 7, 33].flatMap((B) => [
      contrastCase('single', B, 0, 0),
      contrastCase('single', B, 5, 3),
      contrastCase('concepts', B, 0, 0),
      contrastCase('concepts', B, 5, 5),
      contrastCase('image', B, 0, 0),
    ]),
    contrastCase('single', 60, 256, 0),
    contrastCase('single', 60, 256, 200),
    contrastCase('concepts', 60, 256, 256),
  ],
}

/** Gradients of scores, logT and, where there is a queue, of its scores, for one incoming number. */
const contrastLossGradOp: Op = {
  name: 'contrast_loss_grad',
  infer([, scores, queueScores, logT]) {
    return [scores, logT, queueScores].flatMap((value) => (value ? [like(value)] : []))
  },
  reference([dloss, ...inputs], [dscores, dlogT, dqueueScores], { mode }) {
    const T = exp(inputs[2]!.data[0])
    const rows = rowsOf(inputs, mode as ContrastMode)
    const counted = rows.filter((row) => row.positive.includes(true)).length
    const B = rows.length
    const Q = dqueueScores ? dqueueScores.shape[1] : 0
    for (const [r, { scores, counts, positive }] of rows.entries()) {
      const positives = positive.filter(Boolean).length
      if (positives === 0) continue
      const most = Math.max(...scores.filter((_, c) => counts[c]))
      const exponentials = scores.map((score, c) => (counts[c] ? exp((score - most) / T) : 0))
      const total = exponentials.reduce((sum, e) => sum + e, 0)
      for (const [c, score] of scores.entries()) {
        const d = ((exponentials[c] / total - (positive[c] ? 1 / positives : 0)) * dloss!.data[0]) / counted
        dlogT.data[0] -= (d * score) / T
        if (c < B) dscores.data[r * B + c] = d / T
        else dqueueScores.data[r * Q + c - B] = d / T
      }
    }
  },
  lower({ inputs, outputs: [dscores, dlogT, dqueueScores], attributes: { mode } }, to) {
    const addresses = [...inputs, dscores, dqueueScores, dlogT].map((value) => to.at(value))
    to.call('contrast_loss_grad__f32', ...addresses, inputs[1]!.shape[0], queueLength(inputs[5]), MODES.indexOf(mode))
  },
  cases: [],
}

/** The columns of one row: batch, then the filled part of the queue. */
interface Row {
  scores: number[]
  counts: boolean[]
  positive: boolean[]
}

function rowsOf([scores, queueScores, , ids, queueIds, filled]: readonly (Tensor | null)[], mode: ContrastMode): Row[] {
  const B = ids!.data.length
  const Q = queueIds ? queueIds.data.length : 0
  const keys = [...ids!.data, ...(queueIds?.data.subarray(0, filled!.data[0]) ?? [])]
  return Array.from(ids!.data, (id, r) => ({
    scores: keys.map((_, c) => (c < B ? scores!.data[r * B + c] : queueScores!.data[r * Q + c - B])),
    counts: keys.map((key, c) => mode === 'concepts' || (mode === 'single' ? c === r || key !== id : c !== r)),
    positive: keys.map((key, c) => (mode === 'single' ? c === r : key === id && (mode === 'concepts' || c !== r))),
  }))
}

function queueLength(queueIds: Value | null): number {
  return queueIds ? fixed(queueIds.shape[0]) : 0
}

/** Scores of batch and queue, the temperature and ids below `max`, for cases of ops that take them. */
export function scoreInputs(B: number, Q: number, filled: number, max: number): Op['cases'][number]['inputs'] {
  const ids = { dtype: 'i32', kind: 'ids', max } as const
  return [
    { shape: [B, B] },
    Q ? { shape: [B, Q] } : null,
    { shape: [1], kind: 'values', values: [-0.5] },
    { shape: [B], ...ids },
    Q ? { shape: [Q], ...ids } : null,
    Q ? { shape: [1], dtype: 'i32', kind: 'values', values: [filled] } : null,
  ]
}

function contrastCase(mode: ContrastMode, B: number, Q: number, filled: number): Op['cases'][number] {
  const inputs = scoreInputs(B, Q, filled, Math.ceil(B * 0.7))
  return { name: `${mode}_b${B}_q${Q}_filled${filled}`, inputs, attributes: { mode } }
}

/** The loss [1] of similarities: rows of `scores` are queries, columns keys, the own key on the diagonal. */
export function contrastLoss(
  b: Builder,
  scores: Value,
  queueScores: Value | null,
  logT: Value,
  ids: Value,
  queueIds: Value | null,
  filled: Value | null,
  mode: ContrastMode,
): Value {
  const queue = queueScores ? [queueIds, filled] : [null, null]
  return b.apply(contrastLossOp, [scores, queueScores, logT, ids, ...queue], { mode })[0]
}
