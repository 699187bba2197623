/**
 * Layer norm (arXiv 1607.06450): the vision tower (model.md section 3) and the code of the memory.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { columns, rows } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { BLOCKS, given, like } from './shared.ts'

/**
 * y = z * gain + bias, z = (x - mean) * inverse, inverse = 1 / sqrt(variance + eps) of a row
 * in   x [..., K] f32, gain [K] f32, bias [K] f32
 * out  y [..., K] f32, stats [..., 2] f32 (mean and inverse, kept for the gradient, take none)
 * grad dx = inverse * (u - mean(u) - z * mean(u*z)) with u = dy * gain, dgain = sum of dy * z, dbias = sum of dy
 */
export const layerNormOp: Op = {
  name: 'layer_norm',
  infer(inputs) {
    const x = given(inputs, 0, 'layer_norm')
    const K = columns(x.shape)
    for (const i of [1, 2]) {
      const { shape } = given(inputs, i, 'layer_norm')
      requireThat(shape[0] === K, 'layer_norm', `gain and bias must have shape [${K}]`, shape)
    }
    return [like(x), { shape: [...x.shape.slice(0, -1), 2], dtype: 'f32' }]
  },
  reference([x, gain, bias], [y, stats], { eps }) {
    const K = x!.shape.at(-1)!
    for (let m = 0; m < x!.data.length / K; m++) {
      const row = x!.data.subarray(m * K, m * K + K)
      const mean = row.reduce((sum, value) => sum + value, 0) / K
      const variance = row.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / K
      const inverse = 1 / Math.sqrt(variance + Number(eps))
      stats.data.set([mean, inverse], 2 * m)
      row.forEach((value, k) => (y.data[m * K + k] = (value - mean) * inverse * gain!.data[k] + bias!.data[k]))
    }
  },
  grad: (b, { inputs: [x, gain], outputs: [, stats] }, [dy]) => b.apply(layerNormGradOp, [dy, x, gain, stats]),
  lower({ inputs: [x, gain, bias], outputs: [y, stats], attributes: { eps } }, to) {
    const operands = [x, gain, bias, y, stats].map((value) => to.at(value))
    to.call('layer_norm__f32', ...operands, rows(x!.shape), columns(x!.shape), Number(eps))
  },
  cases: [
    // One element a row is its own mean: z = 0, and so is dx.
    ...[2, 3, 7, 33, 128, 384].map((K) => ({
      name: `m5_k${K}`,
      inputs: [{ shape: [5, K] }, { shape: [K] }, { shape: [K] }],
      attributes: { eps: K === 2 ? 0.1 : 1e-6 },
    })),
    {
      name: 'm2x17_k48',
      inputs: [{ shape: [2, 17, 48] }, { shape: [48] }, { shape: [48] }],
      attributes: { eps: 1e-5 },
    },
  ],
}

const layerNormGradOp: Op = {
  name: 'layer_norm_grad',
  infer: ([, x, gain]) => [like(x!), like(gain!), like(gain!)],
  reference([dy, x, gain, stats], [dx, dgain, dbias]) {
    const K = x!.shape.at(-1)!
    for (let m = 0; m < x!.data.length / K; m++) {
      const [mean, inverse] = stats!.data.subarray(2 * m, 2 * m + 2)
      const z = (k: number) => (x!.data[m * K + k] - mean) * inverse
      const u = (k: number) => dy!.data[m * K + k] * gain!.data[k]
      let sumU = 0
      let sumUz = 0
      for (let k = 0; k < K; k++) {
        sumU += u(k)
        sumUz += u(k) * z(k)
        dgain.data[k] += dy!.data[m * K + k] * z(k)
        dbias.data[k] += dy!.data[m * K + k]
      }
      for (let k = 0; k < K; k++) dx.data[m * K + k] = inverse * (u(k) - sumU / K - (z(k) * sumUz) / K)
    }
  },
  lower({ inputs: [dy, x, gain, stats], outputs: [dx, dgain, dbias] }, to) {
    const K = columns(x!.shape)
    const [dgains, dbiases] = [to.scratch(4 * BLOCKS * K), to.scratch(4 * BLOCKS * K)]
    const operands = [dy, x, gain, stats, dx].map((value) => to.at(value))
    to.call('layer_norm_grad__f32', ...operands, dgains, dbiases, rows(x!.shape), K, BLOCKS)
    to.call('sum_rows__f32', dgains, to.at(dgain), 1, BLOCKS, K)
    to.call('sum_rows__f32', dbiases, to.at(dbias), 1, BLOCKS, K)
  },
  cases: [],
}

/** LayerNorm of x [..., K] over its last dimension, with gain [K] and bias [K]. */
export function layerNorm(b: Builder, x: Value, gain: Value, bias: Value, eps: number): Value {
  return b.apply(layerNormOp, [x, gain, bias], { eps })[0]
}
