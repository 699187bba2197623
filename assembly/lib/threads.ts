/**
 * What a kernel knows of the threads that run it at the same time on one memory: the part of the work that this call is
 * for. Kernels split their outputs by `firstOf` and `endOf`, sums never, so the bytes do not depend on the number of
 * parts or on who takes which; one that calls neither runs on the first thread alone. With one thread a part is
 * everything, at the cost of a few divisions.
 */

let index = 0
let count = 1

/** Whether this thread's last call was another part of the same work: what that left in memory of the thread is there. */
export let again = false

/** f32 in a line of the cache: two threads that write one wait for each other. */
export const LINE = 16

export const SCRATCH_BYTES = 512

const SCRATCH = memory.data(SCRATCH_BYTES, 16)

/** A few numbers of a function, for it alone: what it calls may use them too, and every thread has its own. */
export let scratch: usize = SCRATCH

/**
 * Makes the next calls part `i` of `n`, on a thread whose scratch lies `offset` bytes behind that of the module; `same`:
 * of the call that this thread has just done a part of.
 */
export function setPart(i: i32, n: i32, offset: usize, same: bool): void {
  index = i
  count = n
  scratch = SCRATCH + offset
  again = same
}

/** Where part `i` of n pieces of work begins, in whole units. Units times threads stay below 2^32. */
function beginOf(i: i32, n: i32, unit: i32): i32 {
  const units = <u32>(n + unit - 1) / <u32>unit
  return min(n, <i32>(((units * <u32>i) / <u32>count) * <u32>unit))
}

/** First of `n` pieces of work that are this part's. `unit` of them stay together: a vector, a cache line, a tile. */
export function firstOf(n: i32, unit: i32 = 1): i32 {
  return beginOf(index, n, unit)
}

/** The piece behind its last one. */
export function endOf(n: i32, unit: i32 = 1): i32 {
  return beginOf(index + 1, n, unit)
}
