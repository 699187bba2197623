/**
 * The same elements in another shape: a view, without a kernel.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { sameShape, times, type Shape } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { elements, given } from './shared.ts'

/**
 * y = x, elements in the same order
 * in   x [...] of any type but t2, whose packing depends on the shape
 * out  y of the given shape, in the memory of x
 * grad dx = dy in the shape of x
 * attributes: `shape`, dimensions as JSON; throws where the numbers of elements differ
 */
export const reshapeOp: Op = {
  name: 'reshape',
  infer(inputs, attributes) {
    const x = given(inputs, 0, 'reshape')
    const shape: Shape = JSON.parse(String(attributes.shape))
    requireThat(x.dtype !== 't2', 'reshape', 'x must not be packed', x.dtype)
    requireThat(times(...shape) === elements(x), 'reshape', `the shape must have ${elements(x)} elements`, shape)
    return [{ shape, dtype: x.dtype }]
  },
  reference([x], [y]) {
    y.data.set(x!.data)
  },
  grad: (b, { inputs: [x] }, [dy]) => [reshape(b, dy!, x!.shape)],
  lower() {},
  alias: { 0: 0 },
  cases: [
    { name: '6_to_2x3', inputs: [{ shape: [6] }], attributes: { shape: '[2,3]' } },
    { name: '2x3x4_to_6x4', inputs: [{ shape: [2, 3, 4] }], attributes: { shape: '[6,4]' } },
  ],
}

export function reshape(b: Builder, x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : b.apply(reshapeOp, [x], { shape: JSON.stringify(shape) })[0]
}
