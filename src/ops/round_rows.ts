/**
 * Weights rounded to 8 bits a row, kept as f32: the linears of int8 towers (model.md section 3). The model file
 * stores the codes; activations stay f32.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { roundEven } from '../base/math.ts'
import { columns, rows } from '../base/shape.ts'
import { given, like } from './shared.ts'

/**
 * s = max(max|w_r|, 1e-8)/127, y = clip(round(w/s), -127, 127) * s for each row r; half to even
 * in   w [N, K] f32
 * out  y [N, K] f32
 * grad dw = dy: straight through, none through s
 */
export const roundRowsOp: Op = {
  name: 'round_rows',
  infer: (inputs) => [like(given(inputs, 0, 'round_rows'))],
  reference([w], [y]) {
    const K = w!.shape.at(-1)!
    for (let at = 0; at < w!.data.length; at += K) {
      const row = w!.data.subarray(at, at + K)
      const s = Math.max(1e-8, ...row.map(Math.abs)) / 127
      row.forEach((value, k) => (y.data[at + k] = Math.min(127, Math.max(-127, roundEven(value / s))) * s))
    }
  },
  grad: (_b, _node, [dy]) => [dy],
  lower({ inputs: [w], outputs: [y] }, to) {
    to.call('round_rows__f32', to.at(w), to.at(y), rows(w!.shape), columns(w!.shape))
  },
  cases: [
    { name: 'n1_k1', inputs: [{ shape: [1, 1], gradient: false }] },
    { name: 'n3_k7', inputs: [{ shape: [3, 7], gradient: false }] },
    { name: 'n5_k33', inputs: [{ shape: [5, 33], gradient: false }] },
    { name: 'n8_k128', inputs: [{ shape: [8, 128], gradient: false }] },
    { name: 'zero', inputs: [{ shape: [2, 5], kind: 'values', values: new Array(10).fill(0), gradient: false }] },
  ],
}

/** w [N, K] -> the numbers that its int8 codes stand for. */
export function roundRows(b: Builder, w: Value): Value {
  return b.apply(roundRowsOp, [w])[0]
}
