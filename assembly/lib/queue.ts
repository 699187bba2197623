/** What losses read of the queue of earlier keys (kernels/queue.ts writes it). */

/** Filled columns of the queue; 0 without one. Never more than it holds, whatever the counter says. */
export function filledColumns(filledAt: usize, Q: i32): i32 {
  return filledAt ? min(load<i32>(filledAt), Q) : 0
}
