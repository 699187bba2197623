/**
 * A tensor times one number that is a tensor itself, and the sum of products that is the gradient of such a number.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { requireThat } from '../base/errors.ts'
import { elements, given, like } from './shared.ts'

/**
 * y = s * x
 * in   x [...] f32, s [1] f32
 * out  y [...] f32
 * grad dx = s * dy, ds = sum(dy * x)
 */
export const scaleByOp: Op = {
  name: 'scale_by',
  infer(inputs) {
    const [x, s] = [given(inputs, 0, 'scale_by'), given(inputs, 1, 'scale_by')]
    requireThat(`${s.shape}` === '1', 'scale_by', 's must have shape [1]', s.shape)
    return [like(x)]
  },
  reference([x, s], [y]) {
    x!.data.forEach((value, i) => (y.data[i] = s!.data[0] * value))
  },
  grad: (b, { inputs: [x, s] }, [dy], needs) => [
    needs[0] ? scaleBy(b, dy!, s!) : undefined,
    needs[1] ? dotProduct(b, dy!, x!) : undefined,
  ],
  lower({ inputs: [x, s], outputs: [y] }, to) {
    to.call('scale_by__f32', to.at(x), to.at(s), to.at(y), elements(y))
  },
  cases: [1, 7, 523].map((n) => ({ name: `n${n}`, inputs: [{ shape: [n] }, { shape: [1] }] })),
}

/** y [1] = sum(a * b). */
const dotOp: Op = {
  name: 'dot',
  infer: () => [{ shape: [1], dtype: 'f32' }],
  reference([a, b], [y]) {
    a!.data.forEach((value, i) => (y.data[0] += value * b!.data[i]))
  },
  lower({ inputs: [a, b], outputs: [y] }, to) {
    to.call('dot__f32', to.at(a), to.at(b), to.at(y), elements(a!))
  },
  cases: [],
}

/** s * x, s [1]. */
export function scaleBy(b: Builder, x: Value, s: Value): Value {
  return b.apply(scaleByOp, [x, s])[0]
}

/** sum(a * b) [1] of tensors of one shape. */
export function dotProduct(b: Builder, x: Value, y: Value): Value {
  return b.apply(dotOp, [x, y])[0]
}
