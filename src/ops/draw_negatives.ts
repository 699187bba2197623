/**
 * Hard negatives of image-text matching (model.md section 8; ALBEF, arXiv 2107.07651): for every row a column that is
 * of something else, the likelier the more alike the two are. The host brings the random numbers, so a step that is
 * run again draws the same. No gradient: what is drawn is a choice, not a function of the scores.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { exp } from '../base/math.ts'
import { fixed } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { scoreInputs } from './contrast_loss.ts'
import { given } from './shared.ts'

/**
 * rows_r = first column where the cumulative sum of p passes draws_r, p = softmax(logits of the candidates),
 * logits = [scores, queueScores of the filled part] / exp(logT), candidates: columns of another id than ids_r, which
 * leaves out the own one; a score that is not finite is no candidate
 * in   scores [B,B] f32, queueScores [B,Q] f32 or none, logT [1] f32, ids [B] i32, queueIds [Q] i32 or none,
 *      filled [1] i32 or none, draws [B] f32 - uniform in [0,1)
 * out  rows [B] i32 - a column of the batch, or B + one of the queue, or -1 without a candidate
 */
export const drawNegativesOp: Op = {
  name: 'draw_negatives',
  infer(inputs) {
    const where = 'draw_negatives'
    const [, queueScores, , , queueIds, filled] = inputs
    const [B, columns] = given(inputs, 0, where).shape
    requireThat(B === columns, where, 'scores must have shape [B, B]', inputs[0]!.shape)
    requireThat(given(inputs, 3, where).shape[0] === B, where, `ids must have shape [${B}]`, inputs[3]!.shape)
    requireThat(given(inputs, 6, where).shape[0] === B, where, `draws must have shape [${B}]`, inputs[6]!.shape)
    requireThat(
      !queueScores === !queueIds && !queueIds === !filled,
      where,
      'the queue must be given whole or not at all',
    )
    return [{ shape: [B], dtype: 'i32' }]
  },
  reference([scores, queueScores, logT, ids, queueIds, filled, draws], [rows]) {
    const B = ids!.data.length
    const keys = [...ids!.data, ...(queueIds?.data.subarray(0, filled!.data[0]) ?? [])]
    for (const [r, id] of ids!.data.entries()) {
      const Q = queueIds?.data.length ?? 0
      const row = [...scores!.data.subarray(r * B, r * B + B), ...(queueScores?.data.subarray(r * Q, r * Q + Q) ?? [])]
      const candidates = [...keys.keys()].filter((c) => keys[c] !== id && Number.isFinite(row[c]))
      const most = Math.max(...candidates.map((c) => row[c]))
      const weights = candidates.map((c) => exp((row[c] - most) / exp(logT!.data[0])))
      let left = draws!.data[r] * weights.reduce((sum, weight) => sum + weight, 0)
      rows.data[r] = candidates.find((_, i) => (left -= weights[i]) < 0) ?? candidates.at(-1) ?? -1
    }
  },
  lower({ inputs, outputs: [rows] }, to) {
    const [scores, queueScores] = inputs
    const addresses = [...inputs, rows].map((value) => to.at(value))
    to.call('draw_negatives__f32', ...addresses, scores!.shape[0], queueScores ? fixed(queueScores.shape[1]) : 0)
  },
  cases: [
    drawCase('alone', 1, 0, 0),
    drawCase('alone_with_queue', 1, 5, 5),
    drawCase('batch', 7, 0, 0),
    drawCase('queue_empty', 7, 5, 0),
    drawCase('queue', 7, 5, 3),
    drawCase('batch', 33, 0, 0),
    drawCase('queue', 33, 64, 64),
    drawCase('same_id', 3, 4, 4, 1),
  ],
}

/**
 * Draws go through [0,1) in steps of the golden ratio, from its start on. In every case they lie at least 1e-5 from
 * where the next column begins (test/matching.test.ts), so that f32 draws what f64 does.
 */
function drawCase(name: string, B: number, Q: number, filled: number, max = B): Op['cases'][number] {
  const draws = Array.from({ length: B }, (_, r) => Math.fround((r * 0.6180339887) % 1))
  return {
    name: `${name}_b${B}_q${Q}_filled${filled}`,
    inputs: [...scoreInputs(B, Q, filled, max), { shape: [B], kind: 'values', values: draws }],
  }
}

/** Rows [B] i32 of negatives for the rows of `scores`; the own key is on the diagonal. */
export function drawNegatives(
  b: Builder,
  scores: Value,
  queueScores: Value | null,
  logT: Value,
  ids: Value,
  queueIds: Value | null,
  filled: Value | null,
  draws: Value,
): Value {
  return b.apply(drawNegativesOp, [scores, queueScores, logT, ids, queueIds, filled, draws])[0]
}
