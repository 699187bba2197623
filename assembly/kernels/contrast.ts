/**
 * Contrastive losses over the columns of a batch and of the filled part of a queue (model.md section 8), and accuracy
 * of retrieval. Scores are dot products; logits are scores * exp(-logT), always taken relative to the largest of a row.
 * One pass of plain loops in f32 with f64 sums: a few thousand exponentials a step are nothing beside the towers.
 */
import { bytes } from '../lib/lanes'
import { exp, log } from '../lib/math'
import { filledColumns } from '../lib/queue'

/** Modes, in the order of MODES in ops/contrast_loss.ts. */
const SINGLE = 0
const CONCEPTS = 1

/** What a column is to a row. */
const ABSENT = 0
const NEGATIVE = 1
const POSITIVE = 2

/** Words of a saved row: largest score, sum of exponentials, number of positives, sum of their scores. */
const ROW_BYTES: usize = 16
const SUM: usize = 4
const POSITIVES: usize = 8
const POSITIVE_SCORES: usize = 12

function role(mode: i32, same: bool, own: bool): i32 {
  if (mode == CONCEPTS) return same ? POSITIVE : NEGATIVE
  if (own) return mode == SINGLE ? POSITIVE : ABSENT
  if (!same) return NEGATIVE
  return mode == SINGLE ? ABSENT : POSITIVE
}

/** Adds `n` columns to the largest score and the positives of a row. `own` is the row's own column, or -1. */
function scan(scoresAt: usize, idsAt: usize, rowAt: usize, n: i32, id: i32, own: i32, mode: i32): void {
  let most = load<f32>(rowAt)
  let positives = load<f32>(rowAt, POSITIVES)
  let total = load<f32>(rowAt, POSITIVE_SCORES)
  for (let c = 0; c < n; c++) {
    const kind = role(mode, load<i32>(idsAt + bytes(c)) == id, c == own)
    if (kind == ABSENT) continue
    const score = load<f32>(scoresAt + bytes(c))
    most = max(most, score)
    if (kind == NEGATIVE) continue
    positives += 1
    total += score
  }
  store<f32>(rowAt, most)
  store<f32>(rowAt, positives, POSITIVES)
  store<f32>(rowAt, total, POSITIVE_SCORES)
}

/** Sum of the exponentials of `n` columns. */
function sumExp(scoresAt: usize, idsAt: usize, most: f32, n: i32, id: i32, own: i32, mode: i32, inverse: f32): f64 {
  let sum: f64 = 0
  for (let c = 0; c < n; c++) {
    if (role(mode, load<i32>(idsAt + bytes(c)) == id, c == own) == ABSENT) continue
    sum += <f64>exp((load<f32>(scoresAt + bytes(c)) - most) * inverse)
  }
  return sum
}

/** loss = mean over rows with positives of log(sum of exponentials) - mean of the positive logits; saves rows [B,4]. */
export function contrast_loss__f32(
  scoresAt: usize,
  queueScoresAt: usize,
  logTAt: usize,
  idsAt: usize,
  queueIdsAt: usize,
  filledAt: usize,
  lossAt: usize,
  rowsAt: usize,
  B: i32,
  Q: i32,
  mode: i32,
): void {
  const inverse = exp(-load<f32>(logTAt))
  const filled = filledColumns(filledAt, Q)
  let total: f64 = 0
  let counted = 0
  for (let r = 0; r < B; r++) {
    const id = load<i32>(idsAt + bytes(r))
    const rowAt = rowsAt + <usize>r * ROW_BYTES
    memory.fill(rowAt, 0, ROW_BYTES)
    store<f32>(rowAt, -Infinity)
    scan(scoresAt, idsAt, rowAt, B, id, r, mode)
    scan(queueScoresAt, queueIdsAt, rowAt, filled, id, -1, mode)
    const positives = load<f32>(rowAt, POSITIVES)
    if (positives > 0) {
      const most = load<f32>(rowAt)
      const sum = <f32>(
        (sumExp(scoresAt, idsAt, most, B, id, r, mode, inverse) +
          sumExp(queueScoresAt, queueIdsAt, most, filled, id, -1, mode, inverse))
      )
      store<f32>(rowAt, sum, SUM)
      total += <f64>(log(sum) - (load<f32>(rowAt, POSITIVE_SCORES) / positives - most) * inverse)
      counted += 1
    } else memory.fill(rowAt, 0, ROW_BYTES)
    scoresAt += bytes(B)
    queueScoresAt += bytes(Q)
  }
  store<f32>(lossAt, counted > 0 ? <f32>(total / <f64>counted) : 0)
}

/**
 * Gradients of `n` scores of a row: (softmax - share of the positive) * weight / T. Returns their part of -dlogT,
 * where logits relative to the largest do as well, since the gradients of the logits of a row sum to 0.
 */
function backRow(
  scoresAt: usize,
  idsAt: usize,
  rowAt: usize,
  dscoresAt: usize,
  n: i32,
  id: i32,
  own: i32,
  mode: i32,
  inverse: f32,
  weight: f32,
): f64 {
  const most = load<f32>(rowAt)
  const scale: f32 = 1 / load<f32>(rowAt, SUM)
  const share: f32 = 1 / load<f32>(rowAt, POSITIVES)
  let total: f64 = 0
  for (let c = 0; c < n; c++) {
    const kind = role(mode, load<i32>(idsAt + bytes(c)) == id, c == own)
    let d: f32 = 0
    if (kind != ABSENT) {
      const logit = (load<f32>(scoresAt + bytes(c)) - most) * inverse
      d = (exp(logit) * scale - (kind == POSITIVE ? share : 0)) * weight
      total += <f64>d * <f64>logit
    }
    store<f32>(dscoresAt + bytes(c), d * inverse)
  }
  return total
}

/** Gradients of scores [B,B], queue scores [B,Q] (0 behind the filled part) and logT [1] from saved rows [B,4]. */
export function contrast_loss_grad__f32(
  dlossAt: usize,
  scoresAt: usize,
  queueScoresAt: usize,
  logTAt: usize,
  idsAt: usize,
  queueIdsAt: usize,
  filledAt: usize,
  rowsAt: usize,
  dscoresAt: usize,
  dqueueScoresAt: usize,
  dlogTAt: usize,
  B: i32,
  Q: i32,
  mode: i32,
): void {
  const inverse = exp(-load<f32>(logTAt))
  const filled = filledColumns(filledAt, Q)
  let counted: f32 = 0
  for (let r = 0; r < B; r++) counted += load<f32>(rowsAt + <usize>r * ROW_BYTES, POSITIVES) > 0 ? 1 : 0
  const weight = load<f32>(dlossAt) / max<f32>(counted, 1)
  let total: f64 = 0
  for (let r = 0; r < B; r++) {
    const id = load<i32>(idsAt + bytes(r))
    const rowAt = rowsAt + <usize>r * ROW_BYTES
    if (dqueueScoresAt) memory.fill(dqueueScoresAt, 0, bytes(Q))
    if (load<f32>(rowAt, POSITIVES) > 0) {
      total += backRow(scoresAt, idsAt, rowAt, dscoresAt, B, id, r, mode, inverse, weight)
      total += backRow(queueScoresAt, queueIdsAt, rowAt, dqueueScoresAt, filled, id, -1, mode, inverse, weight)
    } else memory.fill(dscoresAt, 0, bytes(B))
    scoresAt += bytes(B)
    dscoresAt += bytes(B)
    queueScoresAt += bytes(Q)
    if (dqueueScoresAt) dqueueScoresAt += bytes(Q)
  }
  store<f32>(dlogTAt, <f32>-total)
}

/** Share of the rows whose own score is greater than every score of another id; ties and NaN count against. */
export function retrieval_accuracy__f32(scoresAt: usize, idsAt: usize, shareAt: usize, B: i32): void {
  let right = 0
  for (let r = 0; r < B; r++) {
    const own = load<f32>(scoresAt + bytes(r))
    const id = load<i32>(idsAt + bytes(r))
    let best = own == own
    for (let c = 0; c < B && best; c++) {
      best = load<i32>(idsAt + bytes(c)) == id || own > load<f32>(scoresAt + bytes(c))
    }
    right += i32(best)
    scoresAt += bytes(B)
  }
  store<f32>(shareAt, <f32>right / <f32>B)
}
