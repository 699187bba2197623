/**
 * Group norm (arXiv 1803.08494) in groups of 8 channels, after every convolution of the stem (model.md section 3).
 * Channels are last; statistics span all positions of a sample and nothing across the batch.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { fixed, times } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given, like } from './shared.ts'

/** Channels a group; the kernels are written for this number. */
const GROUP = 8

/**
 * y = z * gain + bias, z = (x - mean) * inverse, inverse = 1 / sqrt(variance + eps) of a sample and group
 * in   x [B, P, C] f32, gain [C] f32, bias [C] f32; 8 divides C
 * out  y [B, P, C] f32, stats [B, C/8, 2] f32 (mean and inverse, kept for the gradient, take none)
 * grad dx = inverse * (u - mean(u) - z * mean(u*z)) with u = dy * gain, dgain = sum of dy * z, dbias = sum of dy
 */
export const groupNormOp: Op = {
  name: 'group_norm',
  infer(inputs) {
    const x = given(inputs, 0, 'group_norm')
    requireThat(x.shape.length === 3, 'group_norm', 'x must have shape [B, P, C]', x.shape)
    const C = fixed(x.shape[2])
    requireThat(C % GROUP === 0, 'group_norm', 'C must be a multiple of 8', C)
    for (const i of [1, 2]) {
      const { shape } = given(inputs, i, 'group_norm')
      requireThat(shape[0] === C, 'group_norm', `gain and bias must have shape [${C}]`, shape)
    }
    return [like(x), { shape: [x.shape[0], C / GROUP, 2], dtype: 'f32' }]
  },
  reference([x, gain, bias], [y, stats], { eps }) {
    const [, P, C] = x!.shape
    const count = P * GROUP
    for (let g = 0; g < stats.data.length / 2; g++) {
      const members = group(g, P, C)
      const mean = members.reduce((sum, i) => sum + x!.data[i], 0) / count
      const variance = members.reduce((sum, i) => sum + (x!.data[i] - mean) * (x!.data[i] - mean), 0) / count
      const inverse = 1 / Math.sqrt(variance + Number(eps))
      stats.data.set([mean, inverse], 2 * g)
      for (const i of members) y.data[i] = (x!.data[i] - mean) * inverse * gain!.data[i % C] + bias!.data[i % C]
    }
  },
  grad: (b, { inputs: [x, gain], outputs: [, stats] }, [dy]) => b.apply(groupNormGradOp, [dy, x, gain, stats]),
  lower({ inputs: [x, gain, bias], outputs: [y, stats], attributes: { eps } }, to) {
    const operands = [x, gain, bias, y, stats].map((value) => to.at(value))
    const [B, P, C] = x!.shape
    to.call('group_norm__f32', ...operands, B, P, C, Number(eps))
  },
  cases: [
    [1, 1, 8],
    [2, 3, 16],
    [3, 16, 24],
    [2, 33, 48],
    [1, 16, 192],
  ].map(([B, P, C]) => ({
    name: `b${B}_p${P}_c${C}`,
    inputs: [{ shape: [B, P, C] }, { shape: [C] }, { shape: [C] }],
    attributes: { eps: 1e-5 },
  })),
}

const groupNormGradOp: Op = {
  name: 'group_norm_grad',
  infer: ([, x, gain]) => [like(x!), like(gain!), like(gain!)],
  reference([dy, x, gain, stats], [dx, dgain, dbias]) {
    const [, P, C] = x!.shape
    const count = P * GROUP
    for (let g = 0; g < stats!.data.length / 2; g++) {
      const members = group(g, P, C)
      const [mean, inverse] = stats!.data.subarray(2 * g, 2 * g + 2)
      const z = (i: number) => (x!.data[i] - mean) * inverse
      const u = (i: number) => dy!.data[i] * gain!.data[i % C]
      let sumU = 0
      let sumUz = 0
      for (const i of members) {
        sumU += u(i)
        sumUz += u(i) * z(i)
        dgain.data[i % C] += dy!.data[i] * z(i)
        dbias.data[i % C] += dy!.data[i]
      }
      for (const i of members) dx.data[i] = inverse * (u(i) - sumU / count - (z(i) * sumUz) / count)
    }
  },
  lower({ inputs: [dy, x, gain, stats], outputs: [dx, dgain, dbias] }, to) {
    const [B, P, C] = x!.shape
    const [dgains, dbiases] = [to.scratch(times(4, B, C)), to.scratch(times(4, B, C))]
    const operands = [dy, x, gain, stats, dx].map((value) => to.at(value))
    to.call('group_norm_grad__f32', ...operands, dgains, dbiases, B, P, C)
    to.call('sum_rows__f32', dgains, to.at(dgain), 1, B, C)
    to.call('sum_rows__f32', dbiases, to.at(dbias), 1, B, C)
  },
  cases: [],
}

/** Indices in x [B, P, C] of group `g`, counted over samples and the groups of each. */
function group(g: number, P: number, C: number): number[] {
  const sample = Math.floor(g / (C / GROUP))
  const channel = (g % (C / GROUP)) * GROUP
  return Array.from({ length: P * GROUP }, (_, i) => {
    return (sample * P + Math.floor(i / GROUP)) * C + channel + (i % GROUP)
  })
}

/** GroupNorm of x [B, P, C] in groups of 8 channels, with gain [C] and bias [C]. */
export function groupNorm(b: Builder, x: Value, gain: Value, bias: Value, eps = 1e-5): Value {
  return b.apply(groupNormOp, [x, gain, bias], { eps })[0]
}
