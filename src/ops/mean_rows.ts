/**
 * Mean over the rows of every sample, all of them or the real ones: the pool of image and text features.
 */
import type { Builder } from '../graph/builder.ts'
import type { Case, CaseInput, Op, Value } from '../graph/graph.ts'
import type { Dim } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

/**
 * y[b] = mean of x[b,t] over t < lengths[b]
 * in   x [B, T, C] f32, lengths [B] i32 from 1 to T, or none: all T
 * out  y [B, C] f32
 * grad dx[b,t] = dy[b] / lengths[b] for t < lengths[b], zero in the other rows
 */
export const meanRowsOp: Op = {
  name: 'mean_rows',
  infer(inputs) {
    const x = given(inputs, 0, 'mean_rows')
    requireThat(x.shape.length === 3, 'mean_rows', 'x must have shape [B, T, C]', x.shape)
    const [B, , C] = x.shape
    const lengths = inputs[1]
    if (lengths) {
      const fits = lengths.dtype === 'i32' && lengths.shape.length === 1 && lengths.shape[0] === B
      requireThat(fits, 'mean_rows', `lengths must be i32 [${B}]`, [lengths.dtype, lengths.shape])
    }
    return [{ shape: [B, C], dtype: 'f32' }]
  },
  reference([x, lengths], [y]) {
    const [B, T, C] = x!.shape
    for (let b = 0; b < B; b++) {
      const length = lengths ? lengths.data[b] : T
      for (let i = 0; i < length * C; i++) y.data[b * C + (i % C)] += x!.data[b * T * C + i] / length
    }
  },
  grad: (b, { inputs: [x, lengths] }, [dy]) => [b.apply(meanRowsGradOp, [dy, lengths], { T: x!.shape[1] })[0]],
  lower({ inputs: [x, lengths], outputs: [y] }, to) {
    to.call('mean_rows__f32', to.at(x), to.at(lengths), to.at(y), ...x!.shape)
  },
  cases: [
    meanRowsCase(1, 1, 1, false),
    meanRowsCase(3, 7, 33, false),
    meanRowsCase(4, 9, 7, true),
    meanRowsCase(2, 60, 128, true),
  ],
}

/** dx[B,T,C]: dy[B,C] / lengths[b] in the first lengths[b] rows, zero in the others. */
const meanRowsGradOp: Op = {
  name: 'mean_rows_grad',
  infer: ([dy], { T }) => [{ shape: [dy!.shape[0], T as Dim, dy!.shape[1]], dtype: 'f32' }],
  reference([dy, lengths], [dx]) {
    const [B, T, C] = dx.shape
    for (let b = 0; b < B; b++) {
      const length = lengths ? lengths.data[b] : T
      for (let i = 0; i < length * C; i++) dx.data[b * T * C + i] = dy!.data[b * C + (i % C)] / length
    }
  },
  lower({ inputs: [dy, lengths], outputs: [dx] }, to) {
    to.call('mean_rows_grad__f32', to.at(dy), to.at(lengths), to.at(dx), ...dx.shape)
  },
  cases: [],
}

function meanRowsCase(B: number, T: number, C: number, masked: boolean): Case {
  const lengths: CaseInput = { shape: [B], dtype: 'i32', kind: 'lengths', max: T }
  return {
    name: `b${B}_t${T}_c${C}${masked ? '_lengths' : ''}`,
    inputs: [{ shape: [B, T, C] }, masked ? lengths : null],
  }
}

export function meanRows(b: Builder, x: Value, lengths: Value | null): Value {
  return b.apply(meanRowsOp, [x, lengths])[0]
}
