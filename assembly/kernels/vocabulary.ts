/**
 * Cross-entropy over a vocabulary, a block of columns at a time (model.md section 8): logits of a block come from a
 * product, here their row statistics are folded into those of the blocks before (the online softmax of Milakov &
 * Gimelshein, arXiv 1805.02867). So never all logits are in memory. Sums over blocks are f32, over rows f64.
 */
import { bytes, scaleRow, subtract, sum } from '../lib/lanes'
import { exp, log } from '../lib/math'
import { exponentials, largest } from '../lib/softmax'
import { endOf, firstOf } from '../lib/threads'

/** What is kept of a row: largest logit, sum of exponentials below it, logit of the target, sum of logits, hit. */
const ROW: i32 = 5
const SUM: usize = 4
const TARGET: usize = 8
const TOTAL: usize = 12
const HIT: usize = 16

/** Folds logits[R,count] of the columns from `first` on into state[R,5]; changes the logits. Blocks come in order. */
export function vocabulary_scan__f32(
  logitsAt: usize,
  targetsAt: usize,
  stateAt: usize,
  R: i32,
  first: i32,
  count: i32,
): void {
  const from = firstOf(R)
  logitsAt += bytes(from * count)
  stateAt += bytes(from * ROW)
  for (let r = from, end = endOf(R); r < end; r++) {
    const target = load<i32>(targetsAt + bytes(r)) - first
    const most = largest(logitsAt, count)
    const isHere = target >= 0 && target < count
    if (first == 0) {
      memory.fill(stateAt, 0, bytes(ROW))
      store<f32>(stateAt, most)
    }
    const before = load<f32>(stateAt)
    const all = max(before, most)
    if (isHere) store<f32>(stateAt, load<f32>(logitsAt + bytes(target)), TARGET)
    // Of equal logits the first column is the answer.
    if (first == 0 || most > before) store<f32>(stateAt, isHere && isFirst(logitsAt, target, most) ? 1 : 0, HIT)
    store<f32>(stateAt, load<f32>(stateAt, TOTAL) + sum(logitsAt, count), TOTAL)
    const rest = load<f32>(stateAt, SUM) * exp(before - all)
    store<f32>(stateAt, rest + exponentials(logitsAt, 1, all, count), SUM)
    store<f32>(stateAt, all)
    logitsAt += bytes(count)
    stateAt += bytes(ROW)
  }
}

/** Whether column `at` has the logit `most`, and none before it. */
function isFirst(logitsAt: usize, at: i32, most: f32): bool {
  if (load<f32>(logitsAt + bytes(at)) != most) return false
  for (let c = 0; c < at; c++) if (load<f32>(logitsAt + bytes(c)) == most) return false
  return true
}

/** loss[1], nll[1] and hits[1], means over rows, of state[R,5] for a vocabulary of V. */
export function vocabulary_loss__f32(
  stateAt: usize,
  lossAt: usize,
  nllAt: usize,
  hitsAt: usize,
  R: i32,
  V: i32,
  smoothing: f32,
): void {
  let loss: f64 = 0
  let nll: f64 = 0
  let hits: f64 = 0
  for (let r = 0; r < R; r++) {
    const logSum = <f64>load<f32>(stateAt) + <f64>log(load<f32>(stateAt, SUM))
    const own = logSum - <f64>load<f32>(stateAt, TARGET)
    nll += own
    loss += own + <f64>smoothing * (<f64>load<f32>(stateAt, TARGET) - <f64>load<f32>(stateAt, TOTAL) / <f64>V)
    hits += <f64>load<f32>(stateAt, HIT)
    stateAt += bytes(ROW)
  }
  store<f32>(lossAt, <f32>(loss / <f64>R))
  store<f32>(nllAt, <f32>(nll / <f64>R))
  store<f32>(hitsAt, <f32>(hits / <f64>R))
}

/**
 * Replaces logits[R,count] of the columns from `first` on by their gradients:
 * (softmax - (1 - smoothing) * [target] - smoothing / V) * dloss / R.
 */
export function vocabulary_loss_grad__f32(
  logitsAt: usize,
  targetsAt: usize,
  stateAt: usize,
  dlossAt: usize,
  R: i32,
  first: i32,
  count: i32,
  V: i32,
  smoothing: f32,
): void {
  const weight = load<f32>(dlossAt) / <f32>R
  const spread = (weight * smoothing) / <f32>V
  const from = firstOf(R)
  logitsAt += bytes(from * count)
  stateAt += bytes(from * ROW)
  for (let r = from, end = endOf(R); r < end; r++) {
    exponentials(logitsAt, 1, load<f32>(stateAt), count)
    scaleRow(weight / load<f32>(stateAt, SUM), logitsAt, logitsAt, count)
    subtract(logitsAt, spread, count)
    const target = load<i32>(targetsAt + bytes(r)) - first
    if (target >= 0 && target < count) {
      const at = logitsAt + bytes(target)
      store<f32>(at, load<f32>(at) - weight * (1 - smoothing))
    }
    logitsAt += bytes(count)
    stateAt += bytes(ROW)
  }
}
