/**
 * Product of two tensors of one shape, element by element: where text and image agree.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { elements, given, like, requireSame } from './shared.ts'

/**
 * y = a * b
 * in   a, b [...] f32
 * out  y [...] f32
 * grad da = dy * b, db = dy * a
 */
export const multiplyOp: Op = {
  name: 'multiply',
  infer(inputs) {
    const a = given(inputs, 0, 'multiply')
    requireSame('multiply', a, given(inputs, 1, 'multiply'))
    return [like(a)]
  },
  reference([a, b], [y]) {
    y.data.forEach((_, i) => (y.data[i] = a!.data[i] * b!.data[i]))
  },
  grad: (builder, { inputs: [a, b] }, [dy], needs) => [
    needs[0] ? multiply(builder, dy!, b!) : undefined,
    needs[1] ? multiply(builder, dy!, a!) : undefined,
  ],
  lower({ inputs: [a, b], outputs: [y] }, to) {
    to.call('multiply__f32', to.at(a), to.at(b), to.at(y), elements(y))
  },
  cases: [1, 4, 7, 130].map((n) => ({ name: `n${n}`, inputs: [{ shape: [n] }, { shape: [n] }] })),
}

/** x * y of one shape. */
export function multiply(b: Builder, x: Value, y: Value): Value {
  return b.apply(multiplyOp, [x, y])[0]
}
