/**
 * Root mean square norm (arXiv 1910.07467), in front of and inside the blocks of text and fusion (model.md section 4).
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { columns, rows } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { BLOCKS, given, like } from './shared.ts'

/**
 * y = x * inverse * gain, inverse = 1 / sqrt(mean(x^2) + eps) of a row
 * in   x [..., K] f32, gain [K] f32 or none
 * out  y [..., K] f32, inverse [...] f32 (kept for the gradient, takes none)
 * grad dx = inverse * (u - x * inverse^2 * mean(u*x)) with u = dy * gain, dgain = sum of dy * x * inverse over rows
 */
export const rmsNormOp: Op = {
  name: 'rms_norm',
  infer(inputs) {
    const x = given(inputs, 0, 'rms_norm')
    const K = columns(x.shape)
    if (inputs[1]) requireThat(inputs[1].shape[0] === K, 'rms_norm', `gain must have shape [${K}]`, inputs[1].shape)
    return [like(x), { shape: x.shape.slice(0, -1), dtype: 'f32' }]
  },
  reference([x, gain], [y, inverse], { eps }) {
    const K = x!.shape.at(-1)!
    for (let m = 0; m < inverse.data.length; m++) {
      const row = x!.data.subarray(m * K, m * K + K)
      inverse.data[m] = 1 / Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / K + Number(eps))
      row.forEach((value, k) => (y.data[m * K + k] = value * inverse.data[m] * (gain ? gain.data[k] : 1)))
    }
  },
  grad: (b, { inputs: [x, gain], outputs: [, inverse] }, [dy]) => b.apply(rmsNormGradOp, [dy, x, gain, inverse]),
  lower({ inputs: [x, gain], outputs: [y, inverse], attributes: { eps } }, to) {
    const operands = [x, gain, y, inverse].map((value) => to.at(value))
    to.call('rms_norm__f32', ...operands, rows(x!.shape), columns(x!.shape), Number(eps))
  },
  cases: [
    // One element a row is a sign but for eps: with a small one its gradient is all cancellation.
    ...[1, 3, 7, 33, 128].map((K) => ({
      name: `m5_k${K}`,
      inputs: [{ shape: [5, K] }, { shape: [K] }],
      attributes: { eps: K === 1 ? 0.1 : 1e-5 },
    })),
    { name: 'm2x3_k48_no_gain', inputs: [{ shape: [2, 3, 48] }, null], attributes: { eps: 1e-5 } },
    { name: 'm3_k9_no_gain', inputs: [{ shape: [3, 9] }, null], attributes: { eps: 1e-5 } },
  ],
}

const rmsNormGradOp: Op = {
  name: 'rms_norm_grad',
  infer: ([, x, gain]) => (gain ? [like(x!), like(gain)] : [like(x!)]),
  reference([dy, x, gain, inverse], [dx, dgain]) {
    const K = x!.shape.at(-1)!
    for (let m = 0; m < inverse!.data.length; m++) {
      const s = inverse!.data[m]
      const u = (k: number) => dy!.data[m * K + k] * (gain ? gain.data[k] : 1)
      let dotted = 0
      for (let k = 0; k < K; k++) dotted += u(k) * x!.data[m * K + k]
      for (let k = 0; k < K; k++) {
        const value = x!.data[m * K + k]
        dx.data[m * K + k] = s * (u(k) - (value * s * s * dotted) / K)
        if (gain) dgain.data[k] += dy!.data[m * K + k] * value * s
      }
    }
  },
  lower({ inputs: [dy, x, gain, inverse], outputs: [dx, dgain] }, to) {
    const K = columns(x!.shape)
    const dgains = gain ? to.scratch(4 * BLOCKS * K) : 0
    const operands = [dy, x, gain, inverse, dx].map((value) => to.at(value))
    to.call('rms_norm_grad__f32', ...operands, dgains, rows(x!.shape), K, BLOCKS)
    if (gain) to.call('sum_rows__f32', dgains, to.at(dgain), 1, BLOCKS, K)
  },
  cases: [],
}

/** RMSNorm of x [..., K] over its last dimension; `gain` [K] or null. */
export function rmsNorm(b: Builder, x: Value, gain: Value | null, eps = 1e-5): Value {
  return b.apply(rmsNormOp, [x, gain], { eps })[0]
}
