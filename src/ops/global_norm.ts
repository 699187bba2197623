/**
 * Norm of all gradients as one vector, and the factor that clips it (Pascanu et al., arXiv 1211.5063).
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { requireThat } from '../base/errors.ts'
import { touchedSize, isTouched } from './touched.ts'

/**
 * norm = sqrt(sum of g^2), factor = min(1, clip / (norm + 1e-6)); the factor is NaN where the norm is not finite
 * in   pairs of g [...] f32 and touched [V] u8 or none: of such a g [V,C] only rows whose flag is not 0 count
 * out  [2] f32: norm, factor
 */
export const globalNormOp: Op = {
  name: 'global_norm',
  infer(inputs) {
    requireThat(inputs.length > 0, 'global_norm', 'must be given a gradient')
    return [{ shape: [2], dtype: 'f32' }]
  },
  reference(inputs, [norm], { clip }) {
    let sum = 0
    for (let i = 0; i < inputs.length; i += 2) {
      inputs[i]!.data.forEach((g, at) => (sum += isTouched(inputs[i]!, inputs[i + 1], at) ? g * g : 0))
    }
    const root = Math.sqrt(sum)
    norm.data.set([root, Number.isFinite(root) ? Math.min(1, Number(clip) / (root + 1e-6)) : NaN])
  },
  lower({ inputs, outputs: [norm], attributes: { clip } }, to) {
    const sum = to.scratch(8)
    // Two words of zero are an f64 zero.
    to.call('zero__f32', 0, sum, 1, 2)
    for (let i = 0; i < inputs.length; i += 2) {
      const [g, touched] = [inputs[i]!, inputs[i + 1]]
      to.call('sum_squares__f32', to.at(g), to.at(touched), sum, ...touchedSize(g, touched))
    }
    to.call('clip_factor__f32', sum, to.at(norm), Number(clip))
  },
  cases: [
    { name: 'small', inputs: [{ shape: [7] }, null, { shape: [3, 5] }, null, { shape: [1] }, null] },
    {
      name: 'touched',
      inputs: [
        { shape: [9, 33] },
        { shape: [9], dtype: 'u8', kind: 'ids', max: 2 },
        { shape: [4, 4] },
        { shape: [4], dtype: 'u8', kind: 'values', values: [0, 0, 0, 0] },
      ],
    },
  ].map((c) => ({ ...c, attributes: { clip: 1 } }) as Op['cases'][number]),
}

/** {norm, factor} [2] of gradients; `touched` has an entry a gradient, null where all of its rows count. */
export function globalNorm(
  b: Builder,
  grads: readonly Value[],
  touched: readonly (Value | null)[],
  clip: number,
): Value {
  requireThat(
    touched.length === grads.length,
    'global_norm',
    `touched must have ${grads.length} entries`,
    touched.length,
  )
  const pairs = grads.flatMap((g, i) => [g, touched[i]])
  return b.apply(globalNormOp, pairs, { clip })[0]
}
