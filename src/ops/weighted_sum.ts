/**
 * A sum of tensors with constant weights: how losses meet.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { requireThat } from '../base/errors.ts'
import { elements, given, like, requireSame } from './shared.ts'

/**
 * y = sum over i of weight_i * x_i
 * in   x_0, x_1, ... [...] f32 of one shape
 * out  y [...] f32
 * grad dx_i = weight_i * dy
 * attributes: `weights`, numbers as JSON
 */
export const weightedSumOp: Op = {
  name: 'weighted_sum',
  infer(inputs, { weights }) {
    const first = given(inputs, 0, 'weighted_sum')
    inputs.forEach((_, i) => requireSame('weighted_sum', first, given(inputs, i, 'weighted_sum')))
    const count = parseWeights(weights).length
    requireThat(count === inputs.length, 'weighted_sum', `must have ${inputs.length} weights`, count)
    return [like(first)]
  },
  reference(inputs, [y], { weights }) {
    parseWeights(weights).forEach((weight, i) => {
      inputs[i]!.data.forEach((value, j) => (y.data[j] += weight * value))
    })
  },
  grad: (b, { attributes }, [dy], needs) =>
    parseWeights(attributes.weights).map((weight, i) => (needs[i] ? weightedSum(b, [dy!], [weight]) : undefined)),
  lower({ inputs, outputs: [y], attributes }, to) {
    parseWeights(attributes.weights).forEach((weight, i) => {
      to.call(i === 0 ? 'scale__f32' : 'add_scaled__f32', to.at(inputs[i]), to.at(y), elements(y), weight)
    })
  },
  cases: [
    { name: 'one', inputs: [{ shape: [7] }], attributes: { weights: '[-0.3]' } },
    { name: 'two', inputs: [{ shape: [1] }, { shape: [1] }], attributes: { weights: '[0.5,0.25]' } },
    {
      name: 'three',
      inputs: [{ shape: [3, 11] }, { shape: [3, 11] }, { shape: [3, 11] }],
      attributes: { weights: '[1,-2,0.1]' },
    },
  ],
}

function parseWeights(weights: unknown): number[] {
  return JSON.parse(String(weights))
}

export function weightedSum(b: Builder, values: readonly Value[], weights: readonly number[]): Value {
  return b.apply(weightedSumOp, values, { weights: JSON.stringify(weights) })[0]
}
