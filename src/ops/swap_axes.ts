/**
 * Transposition of the last two axes: pixels and convolution weights to channels last.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

/**
 * y[n,j,i] = x[n,i,j]
 * in   x [N, I, J] f32
 * out  y [N, J, I] f32
 * grad dx[n,i,j] = dy[n,j,i]
 */
export const swapAxesOp: Op = {
  name: 'swap_axes',
  infer(inputs) {
    const x = given(inputs, 0, 'swap_axes')
    requireThat(x.shape.length === 3, 'swap_axes', 'x must have three axes', x.shape)
    const [N, I, J] = x.shape
    return [{ shape: [N, J, I], dtype: 'f32' }]
  },
  reference([x], [y]) {
    const [, I, J] = x!.shape
    x!.data.forEach((value, at) => {
      const n = Math.floor(at / (I * J))
      const i = Math.floor(at / J) % I
      y.data[(n * J + (at % J)) * I + i] = value
    })
  },
  grad: (b, _node, [dy]) => [swapAxes(b, dy!)],
  lower({ inputs: [x], outputs: [y] }, to) {
    to.call('swap_axes__f32', to.at(x), to.at(y), ...x!.shape)
  },
  cases: [
    [1, 1, 1],
    [2, 3, 7],
    [3, 4, 8],
    [2, 33, 5],
    [24, 24, 9],
    [1, 3, 64 * 64],
  ].map(([N, I, J]) => ({ name: `n${N}_i${I}_j${J}`, inputs: [{ shape: [N, I, J] }] })),
}

export function swapAxes(b: Builder, x: Value): Value {
  return b.apply(swapAxesOp, [x])[0]
}
