/**
 * A parameter kept within bounds after its update: the temperature of the contrastive losses (model.md section 8).
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { requireThat } from '../base/errors.ts'
import { elements, given, like } from './shared.ts'

/**
 * x' = min(high, max(low, x))
 * in   x [...] f32 - parameter or state
 * out  x' in the place of x
 */
export const clampOp: Op = {
  name: 'clamp',
  alias: { 0: 0 },
  updates: true,
  infer(inputs, { low, high }) {
    requireThat(low <= high, 'clamp', 'low must not be above high', [low, high])
    return [like(given(inputs, 0, 'clamp'))]
  },
  reference(_inputs, [x], { low, high }) {
    x.data.forEach((value, i) => (x.data[i] = Math.min(Number(high), Math.max(Number(low), value))))
  },
  lower({ outputs: [x], attributes: { low, high } }, to) {
    to.call('clamp__f32', to.at(x), elements(x), Number(low), Number(high))
  },
  cases: [1, 33].map((n) => ({ name: `n${n}`, inputs: [{ shape: [n] }], attributes: { low: -0.5, high: 0.25 } })),
}

/** The next version of x. */
export function clamp(b: Builder, x: Value, low: number, high: number): Value {
  return b.apply(clampOp, [x], { low, high })[0]
}
