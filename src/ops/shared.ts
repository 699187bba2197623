/**
 * What many ops share: checks of inputs, types that follow from them, and in what order they sum.
 */
import { requireThat } from '../base/errors.ts'
import { sameShape, times, type Dim } from '../base/shape.ts'
import type { Type, Value } from '../graph/graph.ts'

/** A sum over rows is the sum of those of this many blocks of rows: as many threads can share it, to the same bits. */
export const BLOCKS = 16

/** The input at `i`, which must be there. */
export function given(inputs: readonly (Value | null)[], i: number, op: string): Value {
  const value = inputs[i]
  requireThat(value !== null && value !== undefined, op, `input ${i} must be given`)
  return value
}

/** f32 of the same shape. */
export function like(type: Type): Type {
  return { shape: type.shape, dtype: 'f32' }
}

export function requireSame(op: string, a: Type, b: Type): void {
  requireThat(sameShape(a.shape, b.shape), op, `shapes must be equal, [${a.shape}]`, b.shape)
}

/** Number of elements. */
export function elements(type: Type): Dim {
  return times(...type.shape)
}
