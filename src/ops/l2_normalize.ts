/**
 * Rows of unit length: the features of the contrastive loss, whose dot product is the similarity (model.md section 5).
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { columns, rows } from '../base/shape.ts'
import { given, like } from './shared.ts'

/** Shortest length that a row is divided by, so that a row of zeros stays one. */
const FLOOR = 1e-12

/**
 * y = x / norm, norm = max(|x|, 1e-12) of a row
 * in   x [..., K] f32
 * out  y [..., K] f32, norm [...] f32 (kept for the gradient, takes none)
 * grad dx = (dy - y * (y . dy)) / norm; dy / norm where the floor holds
 */
export const l2NormalizeOp: Op = {
  name: 'l2_normalize',
  infer(inputs) {
    const x = given(inputs, 0, 'l2_normalize')
    return [like(x), { shape: x.shape.slice(0, -1), dtype: 'f32' }]
  },
  reference([x], [y, norm]) {
    const K = x!.shape.at(-1)!
    for (let m = 0; m < norm.data.length; m++) {
      const row = x!.data.subarray(m * K, m * K + K)
      norm.data[m] = Math.max(FLOOR, Math.sqrt(row.reduce((sum, value) => sum + value * value, 0)))
      row.forEach((value, k) => (y.data[m * K + k] = value / norm.data[m]))
    }
  },
  grad: (b, { outputs: [y, norm] }, [dy]) => b.apply(l2NormalizeGradOp, [dy, y, norm]),
  lower({ inputs: [x], outputs: [y, norm] }, to) {
    to.call('l2_normalize__f32', to.at(x), to.at(y), to.at(norm), rows(x!.shape), columns(x!.shape), FLOOR)
  },
  cases: [
    // A row of one element is a sign: its gradient is 0, which has no relative error.
    { name: 'm3_k1', inputs: [{ shape: [3, 1], gradient: false }] },
    ...[3, 7, 33, 128].map((K) => ({ name: `m5_k${K}`, inputs: [{ shape: [5, K] }] })),
    { name: 'zeros', inputs: [{ shape: [1, 5], kind: 'values' as const, values: [0, 0, 0, 0, 0], gradient: false }] },
  ],
}

const l2NormalizeGradOp: Op = {
  name: 'l2_normalize_grad',
  infer: ([dy]) => [like(dy!)],
  reference([dy, y, norm], [dx]) {
    const K = y!.shape.at(-1)!
    for (let m = 0; m < norm!.data.length; m++) {
      let dotted = 0
      for (let k = m * K; k < m * K + K; k++) dotted += y!.data[k] * dy!.data[k]
      if (norm!.data[m] <= FLOOR) dotted = 0
      for (let k = m * K; k < m * K + K; k++) dx.data[k] = (dy!.data[k] - y!.data[k] * dotted) / norm!.data[m]
    }
  },
  lower({ inputs: [dy, y, norm], outputs: [dx] }, to) {
    const operands = [dy, y, norm, dx].map((value) => to.at(value))
    to.call('l2_normalize_grad__f32', ...operands, rows(y!.shape), columns(y!.shape), FLOOR)
  },
  cases: [],
}

/** x [..., K] over the Euclidean length of its rows. */
export function l2Normalize(b: Builder, x: Value): Value {
  return b.apply(l2NormalizeOp, [x])[0]
}
