/**
 * Sum of two tensors of one shape: residual connections, and gradients that meet.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { elements, given, like, requireSame } from './shared.ts'

/**
 * y = a + b
 * in   a, b [...] f32
 * out  y [...] f32
 * grad da = db = dy
 */
export const addOp: Op = {
  name: 'add',
  infer(inputs) {
    const a = given(inputs, 0, 'add')
    requireSame('add', a, given(inputs, 1, 'add'))
    return [like(a)]
  },
  reference([a, b], [y]) {
    y.data.forEach((_, i) => (y.data[i] = a!.data[i] + b!.data[i]))
  },
  grad: (_b, _node, [dy]) => [dy, dy],
  lower({ inputs: [a, b], outputs: [y] }, to) {
    to.call('add__f32', to.at(a), to.at(b), to.at(y), elements(y))
  },
  cases: [1, 4, 7, 130].map((n) => ({ name: `n${n}`, inputs: [{ shape: [n] }, { shape: [n] }] })),
}

export function add(b: Builder, x: Value, y: Value): Value {
  return b.apply(addOp, [x, y])[0]
}
