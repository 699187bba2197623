/**
 * Dense f32 products in the three forms that training needs. Letters: y[M,N] = x[M,K] . w[N,K]^T, where M is the
 * product of all leading dimensions of x. Kernels sum each element in one fixed order.
 */
import { GROUP_BYTES, TN_PANEL_ROWS } from '../abi.ts'
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { columns, fixed, rows, times, type Dim } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

/** Sizes [M, K, N] of the cases. */
const SHAPES = [
  [1, 1, 1],
  [3, 5, 7],
  [7, 33, 17],
  [13, 48, 24],
  // Rows enough to be split among threads.
  [70, 9, 5],
  [60, 256, 128],
]

/**
 * Scratch of the matmul kernels: the second operand repacked into panels of 8 outputs, a group at a time. Of sizes that
 * are known at run time only, as much as any of them takes.
 */
export function panelBytes(outputs: Dim, depth: Dim): Dim {
  const panels = typeof outputs === 'number' ? Math.ceil(outputs / 8) : outputs
  if (typeof depth !== 'number') return times(32, panels, depth)
  const group = Math.max(1, Math.floor(GROUP_BYTES / (32 * depth)))
  return 32 * depth * (typeof panels === 'number' ? Math.min(panels, group) : group)
}

/** Scratch of matmul_tn__f32: all K columns of a block of rows. */
export function tnPanelBytes(K: number): number {
  return 32 * TN_PANEL_ROWS * Math.ceil(K / 8)
}

/**
 * y = x . w^T + bias
 * in   x [..., K] f32, w [N, K] f32, bias [N] f32 or none
 * out  y [..., N] f32
 * grad dx = dy . w, dw = dy^T . x, dbias = sum of dy over rows
 */
export const matmulOp: Op = {
  name: 'matmul',
  infer(inputs) {
    const x = given(inputs, 0, 'matmul')
    const w = given(inputs, 1, 'matmul')
    requireThat(w.shape.length === 2, 'matmul', 'w must have shape [N, K]', w.shape)
    requireThat(w.shape[1] === x.shape.at(-1), 'matmul', `w must have ${x.shape.at(-1)} columns`, w.shape)
    const bias = inputs[2]
    if (bias) requireThat(bias.shape[0] === w.shape[0], 'matmul', `bias must have shape [${w.shape[0]}]`, bias.shape)
    return [{ shape: [...x.shape.slice(0, -1), w.shape[0]], dtype: 'f32' }]
  },
  reference([x, w, bias], [y]) {
    const [N, K] = w!.shape
    for (let m = 0; m < y.data.length / N; m++) {
      for (let n = 0; n < N; n++) {
        let sum = bias ? bias.data[n] : 0
        for (let k = 0; k < K; k++) sum += x!.data[m * K + k] * w!.data[n * K + k]
        y.data[m * N + n] = sum
      }
    }
  },
  grad(b, { inputs: [x, w, bias] }, [dy], needs) {
    return [
      needs[0] ? matmulBackInput(b, dy!, w!) : undefined,
      needs[1] ? matmulBackWeight(b, dy!, x!) : undefined,
      bias && needs[2] ? sumColumns(b, dy!) : undefined,
    ]
  },
  lower({ inputs: [x, w, bias], outputs: [y] }, to) {
    const [N, K] = [w!.shape[0], w!.shape[1]]
    const scratch = to.scratch(panelBytes(N, K))
    to.call('matmul_nt__f32', to.at(x), to.at(w), to.at(bias), to.at(y), scratch, rows(x!.shape), K, N)
  },
  macs: ({ inputs: [x, w] }) => times(...x!.shape, w!.shape[0]),
  cases: SHAPES.map(([M, K, N]) => ({
    name: `m${M}_k${K}_n${N}`,
    inputs: [{ shape: [M, K] }, { shape: [N, K] }, { shape: [N] }],
  })),
}

/** dx[..., K] = dy[..., N] . w[N, K]. */
const backInputOp: Op = {
  name: 'matmul_back_input',
  infer([dy, w]) {
    return [{ shape: [...dy!.shape.slice(0, -1), w!.shape[1]], dtype: 'f32' }]
  },
  reference([dy, w], [dx]) {
    const [N, K] = w!.shape
    for (let m = 0; m < dx.data.length / K; m++) {
      for (let n = 0; n < N; n++) {
        for (let k = 0; k < K; k++) dx.data[m * K + k] += dy!.data[m * N + n] * w!.data[n * K + k]
      }
    }
  },
  lower({ inputs: [dy, w], outputs: [dx] }, to) {
    const [N, K] = [w!.shape[0], fixed(w!.shape[1])]
    const scratch = to.scratch(panelBytes(K, N))
    to.call('matmul_nn__f32', to.at(dy), to.at(w), to.at(dx), scratch, rows(dy!.shape), K, N)
  },
  macs: ({ inputs: [dy, w] }) => times(...dy!.shape, w!.shape[1]),
  cases: [],
}

/** dw[N, K] = dy[..., N]^T . x[..., K]. */
const backWeightOp: Op = {
  name: 'matmul_back_weight',
  infer([dy, x]) {
    return [{ shape: [dy!.shape.at(-1)!, x!.shape.at(-1)!], dtype: 'f32' }]
  },
  reference([dy, x], [dw]) {
    const [N, K] = dw.shape
    for (let m = 0; m < dy!.data.length / N; m++) {
      for (let n = 0; n < N; n++) {
        for (let k = 0; k < K; k++) dw.data[n * K + k] += dy!.data[m * N + n] * x!.data[m * K + k]
      }
    }
  },
  lower({ inputs: [dy, x], outputs: [dw] }, to) {
    const [N, K] = dw.shape
    const scratch = to.scratch(tnPanelBytes(fixed(K)))
    to.call('matmul_tn__f32', to.at(dy), to.at(x), to.at(dw), scratch, rows(dy!.shape), K, N)
  },
  macs: ({ inputs: [dy, x] }) => times(...dy!.shape, x!.shape.at(-1)!),
  cases: [],
}

/** y[N] = sum of x[..., N] over rows: the gradient of a bias. */
const sumColumnsOp: Op = {
  name: 'sum_columns',
  infer: ([x]) => [{ shape: [columns(x!.shape)], dtype: 'f32' }],
  reference([x], [y]) {
    x!.data.forEach((value, i) => (y.data[i % y.data.length] += value))
  },
  lower({ inputs: [x], outputs: [y] }, to) {
    to.call('sum_rows__f32', to.at(x), to.at(y), 1, rows(x!.shape), columns(x!.shape))
  },
  cases: [],
}

export function matmul(b: Builder, x: Value, w: Value, bias?: Value | null): Value {
  return b.apply(matmulOp, [x, w, bias])[0]
}

export function matmulBackInput(b: Builder, dy: Value, w: Value): Value {
  return b.apply(backInputOp, [dy, w])[0]
}

export function matmulBackWeight(b: Builder, dy: Value, x: Value): Value {
  return b.apply(backWeightOp, [dy, x])[0]
}

export function sumColumns(b: Builder, x: Value): Value {
  return b.apply(sumColumnsOp, [x])[0]
}
