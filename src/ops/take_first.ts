/**
 * The first row of every sample: what the text feature sees with pool `first`.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { times, type Dim } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

/**
 * y[b] = x[b,0]
 * in   x [B, T, C] f32
 * out  y [B, C] f32
 * grad dx[b,0] = dy[b], zero in the other rows
 */
export const takeFirstOp: Op = {
  name: 'take_first',
  infer(inputs) {
    const x = given(inputs, 0, 'take_first')
    requireThat(x.shape.length === 3, 'take_first', 'x must have shape [B, T, C]', x.shape)
    return [{ shape: [x.shape[0], x.shape[2]], dtype: 'f32' }]
  },
  reference([x], [y]) {
    const [B, T, C] = x!.shape
    for (let b = 0; b < B; b++) y.data.set(x!.data.subarray(b * T * C, b * T * C + C), b * C)
  },
  grad: (b, { inputs: [x] }, [dy]) => [b.apply(takeFirstGradOp, [dy], { T: x!.shape[1] })[0]],
  lower({ inputs: [x], outputs: [y] }, to) {
    const [B, T, C] = x!.shape
    to.call('slice__f32', to.at(x), to.at(y), B, times(T, C), 0, C)
  },
  cases: [
    [1, 1, 1],
    [3, 5, 7],
    [2, 60, 128],
  ].map(([B, T, C]) => ({ name: `b${B}_t${T}_c${C}`, inputs: [{ shape: [B, T, C] }] })),
}

/** dx[B,T,C]: dy[B,C] in the first rows, zero in the others. */
const takeFirstGradOp: Op = {
  name: 'take_first_grad',
  infer: ([dy], { T }) => [{ shape: [dy!.shape[0], T as Dim, dy!.shape[1]], dtype: 'f32' }],
  reference([dy], [dx]) {
    const [B, T, C] = dx.shape
    for (let b = 0; b < B; b++) dx.data.set(dy!.data.subarray(b * C, b * C + C), b * T * C)
  },
  lower({ inputs: [dy], outputs: [dx] }, to) {
    const [B, T, C] = dx.shape
    to.call('slice_grad__f32', to.at(dy), to.at(dx), B, times(T, C), 0, C)
  },
  cases: [],
}

export function takeFirst(b: Builder, x: Value): Value {
  return b.apply(takeFirstOp, [x])[0]
}
