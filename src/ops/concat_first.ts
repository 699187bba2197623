/**
 * A trained row put in front of the rows of every sample: the CLS token of the vision tower.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { fixed, times } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

/**
 * y[b,0] = cls, y[b,1+p] = x[b,p]
 * in   cls [1, 1, C] f32, x [B, P, C] f32
 * out  y [B, 1+P, C] f32
 * grad dcls = sum over b of dy[b,0], dx[b,p] = dy[b,1+p]
 */
export const concatFirstOp: Op = {
  name: 'concat_first',
  infer(inputs) {
    const cls = given(inputs, 0, 'concat_first')
    const x = given(inputs, 1, 'concat_first')
    requireThat(x.shape.length === 3, 'concat_first', 'x must have shape [B, P, C]', x.shape)
    const [B, P, C] = x.shape
    const fits = cls.shape.length === 3 && cls.shape[0] === 1 && cls.shape[1] === 1 && cls.shape[2] === C
    requireThat(fits, 'concat_first', `cls must have shape [1, 1, ${C}]`, cls.shape)
    return [{ shape: [B, 1 + fixed(P), C], dtype: 'f32' }]
  },
  reference([cls, x], [y]) {
    const [B, P, C] = x!.shape
    for (let b = 0; b < B; b++) {
      y.data.set(cls!.data, b * (1 + P) * C)
      y.data.set(x!.data.subarray(b * P * C, (b + 1) * P * C), (b * (1 + P) + 1) * C)
    }
  },
  grad: (b, _node, [dy], needs) => [
    needs[0] ? b.apply(sumFirstOp, [dy])[0] : undefined,
    needs[1] ? b.apply(dropFirstOp, [dy])[0] : undefined,
  ],
  lower({ inputs: [cls, x], outputs: [y] }, to) {
    to.call('concat_first__f32', to.at(cls), to.at(x), to.at(y), ...x!.shape)
  },
  cases: [
    [1, 1, 1],
    [3, 2, 7],
    [2, 16, 128],
  ].map(([B, P, C]) => ({ name: `b${B}_p${P}_c${C}`, inputs: [{ shape: [1, 1, C] }, { shape: [B, P, C] }] })),
}

/** y[1,1,C] = sum over b of x[b,0], x [B, T, C]. */
const sumFirstOp: Op = {
  name: 'sum_first',
  infer: ([x]) => [{ shape: [1, 1, x!.shape[2]], dtype: 'f32' }],
  reference([x], [y]) {
    const [B, T, C] = x!.shape
    for (let b = 0; b < B; b++) {
      for (let c = 0; c < C; c++) y.data[c] += x!.data[b * T * C + c]
    }
  },
  lower({ inputs: [x], outputs: [y] }, to) {
    to.call('sum_first__f32', to.at(x), to.at(y), ...x!.shape)
  },
  cases: [],
}

/** y[B,T-1,C] = x[B,T,C] without the first row of every sample. */
const dropFirstOp: Op = {
  name: 'drop_first',
  infer: ([x]) => [{ shape: [x!.shape[0], fixed(x!.shape[1]) - 1, x!.shape[2]], dtype: 'f32' }],
  reference([x], [y]) {
    const [B, T, C] = x!.shape
    for (let b = 0; b < B; b++) {
      y.data.set(x!.data.subarray((b * T + 1) * C, (b + 1) * T * C), b * (T - 1) * C)
    }
  },
  lower({ inputs: [x], outputs: [y] }, to) {
    const [B, T, C] = x!.shape
    to.call('slice__f32', to.at(x), to.at(y), B, times(T, C), C, times(fixed(T) - 1, C))
  },
  cases: [],
}

export function concatFirst(b: Builder, cls: Value, x: Value): Value {
  return b.apply(concatFirstOp, [cls, x])[0]
}
