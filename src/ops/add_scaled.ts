/**
 * A tensor added with a trained weight: the gate of cross-attention, which starts at 0 (FIBER, arXiv 2206.07643).
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { requireThat } from '../base/errors.ts'
import { dotProduct, scaleBy } from './scale_by.ts'
import { elements, given, like, requireSame } from './shared.ts'

/**
 * y = x + alpha * c
 * in   x, c [...] f32, alpha [1] f32
 * out  y [...] f32
 * grad dx = dy, dc = alpha * dy, dalpha = sum(dy * c)
 */
export const addScaledOp: Op = {
  name: 'add_scaled',
  infer(inputs) {
    const [x, c, alpha] = [0, 1, 2].map((i) => given(inputs, i, 'add_scaled'))
    requireSame('add_scaled', x, c)
    requireThat(`${alpha.shape}` === '1', 'add_scaled', 'alpha must have shape [1]', alpha.shape)
    return [like(x)]
  },
  reference([x, c, alpha], [y]) {
    x!.data.forEach((value, i) => (y.data[i] = value + alpha!.data[0] * c!.data[i]))
  },
  grad: (b, { inputs: [, c, alpha] }, [dy], needs) => [
    dy,
    needs[1] ? scaleBy(b, dy!, alpha!) : undefined,
    needs[2] ? dotProduct(b, dy!, c!) : undefined,
  ],
  lower({ inputs: [x, c, alpha], outputs: [y] }, to) {
    to.call('add_gated__f32', to.at(x), to.at(c), to.at(alpha), to.at(y), elements(y))
  },
  cases: [1, 6, 130, 523].map((n) => ({ name: `n${n}`, inputs: [{ shape: [n] }, { shape: [n] }, { shape: [1] }] })),
}

/** x + alpha * c, alpha [1]. */
export function addScaled(b: Builder, x: Value, c: Value, alpha: Value): Value {
  return b.apply(addScaledOp, [x, c, alpha])[0]
}
