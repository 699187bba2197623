/**
 * Rows of a table that training has reached: flags [V] u8 of a tensor [V,C]. Rows whose flag is 0 hold no gradient
 * (their memory is not even zero) and moments of 0, so that the optimiser passes them by.
 */
import { times, type Dim } from '../base/shape.ts'
import type { Tensor, Value } from '../graph/graph.ts'

/** Rows and columns for a kernel: those of the table, or one row of everything where there are no flags. */
export function touchedSize(x: Value, touched: Value | null): [rows: Dim, columns: Dim] {
  return touched ? [x.shape[0], times(...x.shape.slice(1))] : [1, times(...x.shape)]
}

/** Whether element `at` of a tensor counts. */
export function isTouched(x: Tensor, touched: Tensor | null, at: number): boolean {
  return !touched || touched.data[Math.floor((at * x.shape[0]) / x.data.length)] !== 0
}
