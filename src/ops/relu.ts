/**
 * Rectifier: the activation of the convolutional stem.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { elements, given, like } from './shared.ts'

/**
 * y = max(x, 0)
 * in   x [...] f32
 * out  y [...] f32
 * grad dx = dy where y > 0, else 0
 */
export const reluOp: Op = {
  name: 'relu',
  infer: (inputs) => [like(given(inputs, 0, 'relu'))],
  reference([x], [y]) {
    y.data.forEach((_, i) => (y.data[i] = Math.max(x!.data[i], 0)))
  },
  grad: (b, { outputs: [y] }, [dy]) => [b.apply(reluGradOp, [dy, y])[0]],
  lower({ inputs: [x], outputs: [y] }, to) {
    to.call('relu__f32', to.at(x), to.at(y), elements(y))
  },
  cases: [1, 3, 7, 33, 1024].map((n) => ({ name: `n${n}`, inputs: [{ shape: [n] }] })),
}

const reluGradOp: Op = {
  name: 'relu_grad',
  infer: (inputs) => [like(given(inputs, 1, 'relu_grad'))],
  reference([dy, y], [dx]) {
    dx.data.forEach((_, i) => (dx.data[i] = y!.data[i] > 0 ? dy!.data[i] : 0))
  },
  lower({ inputs: [dy, y], outputs: [dx] }, to) {
    to.call('relu_grad__f32', to.at(dy), to.at(y), to.at(dx), elements(dx))
  },
  cases: [],
}

export function relu(b: Builder, x: Value): Value {
  return b.apply(reluOp, [x])[0]
}
