/**
 * The queue of earlier keys (model.md section 8; MoCo, arXiv 1911.05722): a ring buffer of features and ids. Copies
 * of rows, nothing to measure.
 */
import { bytes, sum } from '../lib/lanes'

/**
 * Writes text and image features [B,C], ids [B] and, where given, samples [B] to the rows next, next + 1, ... of the
 * queue (mod Q), then advances
 * `next` and `filled`. A batch with a feature that is not finite is not taken: it would spoil every later step.
 */
export function enqueue__f32(
  textAt: usize,
  imageAt: usize,
  idsAt: usize,
  samplesAt: usize,
  queueTextAt: usize,
  queueImageAt: usize,
  queueIdsAt: usize,
  queueSamplesAt: usize,
  nextAt: usize,
  filledAt: usize,
  B: i32,
  Q: i32,
  C: i32,
): void {
  const check = sum(textAt, B * C) + sum(imageAt, B * C)
  if (!(abs(check) < Infinity)) return
  const next = load<u32>(nextAt)
  for (let r = 0; r < B; r++) {
    // Unsigned, so that no counter, however damaged, leads out of the queue.
    const row = <i32>((next + <u32>r) % <u32>Q)
    memory.copy(queueTextAt + bytes(row * C), textAt + bytes(r * C), bytes(C))
    memory.copy(queueImageAt + bytes(row * C), imageAt + bytes(r * C), bytes(C))
    store<i32>(queueIdsAt + bytes(row), load<i32>(idsAt + bytes(r)))
    if (samplesAt) store<i32>(queueSamplesAt + bytes(row), load<i32>(samplesAt + bytes(r)))
  }
  store<u32>(nextAt, (next + <u32>B) % <u32>Q)
  store<i32>(filledAt, min(Q, load<i32>(filledAt) + B))
}
