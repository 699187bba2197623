/**
 * Hyperbolic tangent: the activation of the matching head's poolers.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { tanh as tanhOf } from '../base/math.ts'
import { elements, given, like } from './shared.ts'

/**
 * y = tanh x
 * in   x [...] f32
 * out  y [...] f32
 * grad dx = dy * (1 - y^2)
 */
export const tanhOp: Op = {
  name: 'tanh',
  infer: (inputs) => [like(given(inputs, 0, 'tanh'))],
  reference([x], [y]) {
    y.data.forEach((_, i) => (y.data[i] = tanhOf(x!.data[i])))
  },
  grad: (b, { outputs: [y] }, [dy]) => [b.apply(tanhGradOp, [dy, y])[0]],
  lower({ inputs: [x], outputs: [y] }, to) {
    to.call('tanh__f32', to.at(x), to.at(y), elements(y))
  },
  cases: [1, 3, 7, 33, 256].map((n) => ({ name: `n${n}`, inputs: [{ shape: [n] }] })),
}

const tanhGradOp: Op = {
  name: 'tanh_grad',
  infer: (inputs) => [like(given(inputs, 1, 'tanh_grad'))],
  reference([dy, y], [dx]) {
    dx.data.forEach((_, i) => (dx.data[i] = dy!.data[i] * (1 - y!.data[i] ** 2)))
  },
  lower({ inputs: [dy, y], outputs: [dx] }, to) {
    to.call('tanh_grad__f32', to.at(dy), to.at(y), to.at(dx), elements(dx))
  },
  cases: [],
}

export function tanh(b: Builder, x: Value): Value {
  return b.apply(tanhOp, [x])[0]
}
