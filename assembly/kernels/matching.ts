/**
 * Image-text matching (model.md section 8): negatives drawn from the similarities of a batch and of the queue, the 3B
 * pairs they make, and cross-entropy. Plain loops in f32 with f64 sums in one order, the same on every instruction
 * set: an index that is drawn depends on every bit. B * (B + Q) exponentials a step are nothing beside the towers.
 */
import { bytes } from '../lib/lanes'
import { exp, log } from '../lib/math'
import { filledColumns } from '../lib/queue'

/** Largest of K logits; NaN if there is one. */
function largestLogit(logitsAt: usize, K: i32): f32 {
  let most: f32 = -Infinity
  for (let k = 0; k < K; k++) most = max(most, load<f32>(logitsAt + bytes(k)))
  return most
}

/** Sum of the exponentials of K logits relative to the largest. */
function sumExp(logitsAt: usize, most: f32, K: i32): f32 {
  let sum: f64 = 0
  for (let k = 0; k < K; k++) sum += <f64>exp(load<f32>(logitsAt + bytes(k)) - most)
  return <f32>sum
}

/** Whether a row counts: its label is one of K classes. */
function isClass(label: i32, K: i32): bool {
  return <u32>label < <u32>K
}

/** loss = mean over rows with a class of log(sum of exponentials) - logit of the label; logits [N,K]. */
export function cross_entropy__f32(logitsAt: usize, labelsAt: usize, lossAt: usize, N: i32, K: i32): void {
  let total: f64 = 0
  let counted = 0
  for (let n = 0; n < N; n++) {
    const label = load<i32>(labelsAt + bytes(n))
    if (isClass(label, K)) {
      const most = largestLogit(logitsAt, K)
      total += <f64>log(sumExp(logitsAt, most, K)) - <f64>(load<f32>(logitsAt + bytes(label)) - most)
      counted += 1
    }
    logitsAt += bytes(K)
  }
  store<f32>(lossAt, counted > 0 ? <f32>(total / <f64>counted) : 0)
}

/** dlogits = (softmax - one-hot label) * dloss / rows with a class, 0 in the others. */
export function cross_entropy_grad__f32(
  dlossAt: usize,
  logitsAt: usize,
  labelsAt: usize,
  dlogitsAt: usize,
  N: i32,
  K: i32,
): void {
  let counted = 0
  for (let n = 0; n < N; n++) counted += i32(isClass(load<i32>(labelsAt + bytes(n)), K))
  const weight = load<f32>(dlossAt) / max<f32>(<f32>counted, 1)
  for (let n = 0; n < N; n++) {
    const label = load<i32>(labelsAt + bytes(n))
    if (isClass(label, K)) {
      const most = largestLogit(logitsAt, K)
      const scale: f32 = 1 / sumExp(logitsAt, most, K)
      for (let k = 0; k < K; k++) {
        const share = exp(load<f32>(logitsAt + bytes(k)) - most) * scale
        store<f32>(dlogitsAt + bytes(k), (share - (k == label ? 1 : 0)) * weight)
      }
    } else memory.fill(dlogitsAt, 0, bytes(K))
    logitsAt += bytes(K)
    dlogitsAt += bytes(K)
  }
}

/** Score of column c if it may be drawn: of another id, and finite. Otherwise -Infinity. */
function candidate(scoresAt: usize, idsAt: usize, c: i32, id: i32): f32 {
  const score = load<f32>(scoresAt + bytes(c))
  return load<i32>(idsAt + bytes(c)) != id && abs(score) < Infinity ? score : -Infinity
}

/** Largest score of the candidates among `n` columns; -Infinity without one. */
function largestCandidate(scoresAt: usize, idsAt: usize, n: i32, id: i32): f32 {
  let most: f32 = -Infinity
  for (let c = 0; c < n; c++) most = max(most, candidate(scoresAt, idsAt, c, id))
  return most
}

/** Sum of the weights of the candidates among `n` columns. */
function sumWeights(scoresAt: usize, idsAt: usize, n: i32, id: i32, most: f32, inverse: f32): f64 {
  let sum: f64 = 0
  for (let c = 0; c < n; c++) {
    const score = candidate(scoresAt, idsAt, c, id)
    if (score > -Infinity) sum += <f64>exp((score - most) * inverse)
  }
  return sum
}

/** The candidate where the sum of weights passes `target`; the last one where it never does, -1 without any. */
function walk(scoresAt: usize, idsAt: usize, n: i32, id: i32, most: f32, inverse: f32, target: f64): i32 {
  let drawn = -1
  let sum: f64 = 0
  for (let c = 0; c < n; c++) {
    const score = candidate(scoresAt, idsAt, c, id)
    if (score == -Infinity) continue
    drawn = c
    sum += <f64>exp((score - most) * inverse)
    if (sum > target) break
  }
  return drawn
}

/**
 * rows [B]: a column of scores [B,B], or B + a column of the filled part of queueScores [B,Q], drawn by weights
 * exp(score / exp(logT)) over other ids where their cumulative sum passes draws [B] * total; -1 without a candidate.
 */
export function draw_negatives__f32(
  scoresAt: usize,
  queueScoresAt: usize,
  logTAt: usize,
  idsAt: usize,
  queueIdsAt: usize,
  filledAt: usize,
  drawsAt: usize,
  rowsAt: usize,
  B: i32,
  Q: i32,
): void {
  const inverse = exp(-load<f32>(logTAt))
  const filled = filledColumns(filledAt, Q)
  for (let r = 0; r < B; r++) {
    const id = load<i32>(idsAt + bytes(r))
    const most = max(largestCandidate(scoresAt, idsAt, B, id), largestCandidate(queueScoresAt, queueIdsAt, filled, id))
    const inBatch = sumWeights(scoresAt, idsAt, B, id, most, inverse)
    const inQueue = sumWeights(queueScoresAt, queueIdsAt, filled, id, most, inverse)
    const target = <f64>load<f32>(drawsAt + bytes(r)) * (inBatch + inQueue)
    // Rounding, or a number that is none, may lead past the last column: the queue without a candidate leads back.
    let row = target < inBatch ? -1 : walk(queueScoresAt, queueIdsAt, filled, id, most, inverse, target - inBatch)
    row = row < 0 ? walk(scoresAt, idsAt, B, id, most, inverse, target) : row + B
    store<i32>(rowsAt + bytes(r), row)
    scoresAt += bytes(B)
    queueScoresAt += bytes(Q)
  }
}

/** Pair `i` that does not match; without a negative the own row, and a label that does not count. */
function storeNegative(rowsAt: usize, ownRowsAt: usize, labelsAt: usize, i: i32, negative: i32, own: i32): void {
  store<i32>(rowsAt + bytes(i), negative < 0 ? own : negative)
  store<i32>(ownRowsAt + bytes(i), own)
  store<i32>(labelsAt + bytes(i), negative < 0 ? -1 : 0)
}

/** Rows and labels [3B] of the pairs (I,T), (I, negative T), (negative I, T), by negatives [B] of both sides. */
export function matching_pairs__i32(
  textNegativeAt: usize,
  imageNegativeAt: usize,
  textRowsAt: usize,
  imageRowsAt: usize,
  labelsAt: usize,
  B: i32,
): void {
  for (let r = 0; r < B; r++) {
    store<i32>(textRowsAt + bytes(r), r)
    store<i32>(imageRowsAt + bytes(r), r)
    store<i32>(labelsAt + bytes(r), 1)
    storeNegative(textRowsAt, imageRowsAt, labelsAt, B + r, load<i32>(textNegativeAt + bytes(r)), r)
    storeNegative(imageRowsAt, textRowsAt, labelsAt, 2 * B + r, load<i32>(imageNegativeAt + bytes(r)), r)
  }
}
