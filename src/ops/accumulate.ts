/**
 * Sums over micro-batches: gradients are added, weighted, into state, and cleared after the optimiser has used them.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { given, like, requireSame } from './shared.ts'
import { isTouched, touchedSize } from './touched.ts'

/**
 * sum' = sum + weight * x
 * in   sum [...] f32 - state, x [...] f32, touched [V] u8 or none: of an x [V,C] only rows whose flag is not 0 count
 * out  sum' in the place of sum
 */
export const accumulateOp: Op = {
  name: 'accumulate',
  alias: { 0: 0 },
  updates: true,
  infer(inputs) {
    const sum = given(inputs, 0, 'accumulate')
    requireSame('accumulate', sum, given(inputs, 1, 'accumulate'))
    return [like(sum)]
  },
  reference([, x, touched], [sum], { weight }) {
    x!.data.forEach((value, i) => (sum.data[i] += isTouched(x!, touched, i) ? Number(weight) * value : 0))
  },
  lower({ inputs: [, x, touched], outputs: [sum], attributes: { weight } }, to) {
    const size = touchedSize(sum, touched)
    to.call('accumulate__f32', to.at(x), to.at(touched), to.at(sum), ...size, Number(weight))
  },
  cases: [
    ...[1, 7, 130].map((n) => ({
      name: `n${n}`,
      inputs: [{ shape: [n] }, { shape: [n] }, null],
      attributes: { weight: 0.5 },
    })),
    {
      name: 'touched',
      inputs: [{ shape: [9, 33] }, { shape: [9, 33] }, { shape: [9], dtype: 'u8', kind: 'ids', max: 2 }],
      attributes: { weight: 0.5 },
    },
  ],
}

/**
 * sum' = 0
 * in   sum [...] f32 - state, touched [V] u8 or none: rows whose flag is 0 are 0 already
 * out  sum' in the place of sum
 */
export const zeroOp: Op = {
  name: 'zero',
  alias: { 0: 0 },
  updates: true,
  infer: (inputs) => [like(given(inputs, 0, 'zero'))],
  reference([, touched], [sum]) {
    sum.data.forEach((value, i) => (sum.data[i] = isTouched(sum, touched, i) ? 0 : value))
  },
  lower({ inputs: [, touched], outputs: [sum] }, to) {
    to.call('zero__f32', to.at(touched), to.at(sum), ...touchedSize(sum, touched))
  },
  cases: [
    { name: 'n7', inputs: [{ shape: [7] }, null] },
    { name: 'touched', inputs: [{ shape: [9, 33] }, { shape: [9], dtype: 'u8', kind: 'ids', max: 2 }] },
  ],
}

/** The next version of sum, with weight * x added. */
export function accumulate(b: Builder, sum: Value, x: Value, weight: number, touched: Value | null = null): Value {
  return b.apply(accumulateOp, [sum, x, touched], { weight })[0]
}

/** The next version of sum: zeros. */
export function zero(b: Builder, sum: Value, touched: Value | null = null): Value {
  return b.apply(zeroOp, [sum, touched])[0]
}
