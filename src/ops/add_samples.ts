/**
 * One vector a sample, added to all of its rows: what the memory read, in the decoder.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { requireThat } from '../base/errors.ts'
import { given, like } from './shared.ts'

/**
 * y[b,t] = x[b,t] + s[b]
 * in   x [B, T, C] f32, s [B, C] f32
 * out  y [B, T, C] f32
 * grad dx = dy, ds[b] = sum over t of dy[b,t]
 */
export const addSamplesOp: Op = {
  name: 'add_samples',
  infer(inputs) {
    const [x, s] = [given(inputs, 0, 'add_samples'), given(inputs, 1, 'add_samples')]
    requireThat(x.shape.length === 3, 'add_samples', 'x must have shape [B, T, C]', x.shape)
    const want = [x.shape[0], x.shape[2]]
    requireThat(`${s.shape}` === `${want}`, 'add_samples', `s must have shape [${want}]`, s.shape)
    return [like(x)]
  },
  reference([x, s], [y]) {
    const [, T, C] = x!.shape
    x!.data.forEach((value, i) => (y.data[i] = value + s!.data[Math.floor(i / (T * C)) * C + (i % C)]))
  },
  grad: (b, _node, [dy], needs) => [dy, needs[1] ? b.apply(sumRowsOp, [dy])[0] : undefined],
  lower({ inputs: [x, s], outputs: [y] }, to) {
    to.call('add_samples__f32', to.at(x), to.at(s), to.at(y), ...x!.shape)
  },
  cases: [
    [1, 1, 1],
    [3, 5, 7],
    [2, 6, 64],
  ].map(([B, T, C]) => ({ name: `b${B}_t${T}_c${C}`, inputs: [{ shape: [B, T, C] }, { shape: [B, C] }] })),
}

/** y[B,C]: the sum of the rows of each sample of x[B,T,C]. */
const sumRowsOp: Op = {
  name: 'sum_rows',
  infer: ([x]) => [{ shape: [x!.shape[0], x!.shape[2]], dtype: 'f32' }],
  reference([x], [y]) {
    const [, T, C] = x!.shape
    x!.data.forEach((value, i) => (y.data[Math.floor(i / (T * C)) * C + (i % C)] += value))
  },
  lower({ inputs: [x], outputs: [y] }, to) {
    to.call('sum_rows__f32', to.at(x), to.at(y), ...x!.shape)
  },
  cases: [],
}

/** x [B,T,C] + s [B,C] in every row. */
export function addSamples(b: Builder, x: Value, s: Value): Value {
  return b.apply(addSamplesOp, [x, s])[0]
}
