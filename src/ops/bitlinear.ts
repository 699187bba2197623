/**
 * The ternary linear of BitNet b1.58 (arXiv 2402.17764; model.md section 2) as three ops: codes of the activations,
 * codes of the weights, and their exact integer product with one scale a row. Straight-through estimators are
 * ordinary gradients: the cotangent of a code tensor is taken with respect to the number it stands for.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { CODE_ALIGN, roundUp } from '../abi.ts'
import { roundEven } from '../base/math.ts'
import { columns, fixed, rows, times } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { matmulBackWeight, panelBytes, sumColumns } from './matmul.ts'
import { given } from './shared.ts'

const clip = (x: number, lo: number, hi: number) => Math.min(hi, Math.max(lo, x))

/**
 * a = max(max|x|, 1e-5), codes = clip(round(x * (127/a)), -128, 127), one a per row; sums of the codes for the kernel.
 * in   x [..., K] f32
 * out  codes [..., K'] i8 (K' = K rounded up to 16 in memory; zeros), a [...] f32, sums [...] i32
 * grad dx = d(codes * a/127): straight through, none to a
 */
export const quantizeRowsOp: Op = {
  name: 'quantize_rows',
  infer(inputs) {
    const x = given(inputs, 0, 'quantize_rows')
    const lead = x.shape.slice(0, -1)
    return [
      { shape: [...lead, roundUp(columns(x.shape), CODE_ALIGN)], dtype: 'i8' },
      { shape: lead, dtype: 'f32' },
      { shape: lead, dtype: 'i32' },
    ]
  },
  reference([x], [codes, a, sums]) {
    const K = x!.shape.at(-1)!
    const stride = codes.shape.at(-1)!
    for (let m = 0; m < a.data.length; m++) {
      const row = x!.data.subarray(m * K, m * K + K)
      a.data[m] = Math.max(1e-5, ...row.map(Math.abs))
      const s = 127 / a.data[m]
      row.forEach((value, k) => (codes.data[m * stride + k] = clip(roundEven(value * s), -128, 127)))
      sums.data[m] = codes.data.subarray(m * stride, m * stride + K).reduce((sum, code) => sum + code, 0)
    }
  },
  grad: (_b, _node, [dcodes]) => [dcodes],
  lower({ inputs: [x], outputs: [codes, a, sums] }, to) {
    to.call('quantize_rows__f32', to.at(x), to.at(codes), to.at(a), to.at(sums), rows(x!.shape), columns(x!.shape))
  },
  cases: [
    { name: 'm1_k1', inputs: [{ shape: [1, 1], gradient: false }] },
    { name: 'm3_k48', inputs: [{ shape: [3, 48], gradient: false }] },
    { name: 'm5_k33', inputs: [{ shape: [5, 33], gradient: false }] },
  ],
}

/** x = codes * (a/127) [..., K]: what the codes stand for. */
const dequantizeRowsOp: Op = {
  name: 'dequantize_rows',
  infer([, a], { K }) {
    return [{ shape: [...a!.shape, Number(K)], dtype: 'f32' }]
  },
  reference([codes, a], [x]) {
    const K = x.shape.at(-1)!
    const stride = codes!.shape.at(-1)!
    x.data.forEach((_, i) => {
      const m = Math.floor(i / K)
      x.data[i] = codes!.data[m * stride + (i % K)] * (a!.data[m] / 127)
    })
  },
  lower({ inputs: [codes, a], outputs: [x] }, to) {
    to.call('dequantize_rows__i8', to.at(codes), to.at(a), to.at(x), times(...a!.shape), columns(x.shape))
  },
  cases: [],
}

/**
 * gamma = max(mean|W|, 1e-5), codes = clip(round(W/gamma), -1, 1).
 * in   W [N, K] f32
 * out  codes [N, K] t2 (packed, abi.ts), gamma [1] f32
 * grad dW = d(gamma * codes): straight through, none through gamma
 */
export const ternarizeOp: Op = {
  name: 'ternarize',
  infer(inputs) {
    const W = given(inputs, 0, 'ternarize')
    requireThat(W.shape.length === 2, 'ternarize', 'W must have shape [N, K]', W.shape)
    return [
      { shape: W.shape, dtype: 't2' },
      { shape: [1], dtype: 'f32' },
    ]
  },
  reference([W], [codes, gamma]) {
    const sum = W!.data.reduce((total, w) => total + Math.abs(w), 0)
    gamma.data[0] = Math.max(1e-5, sum / W!.data.length)
    W!.data.forEach((w, i) => (codes.data[i] = clip(roundEven(w / gamma.data[0]), -1, 1)))
  },
  grad: (_b, _node, [dcodes]) => [dcodes],
  lower({ inputs: [W], outputs: [codes, gamma] }, to) {
    to.call('ternarize__f32', to.at(W), to.at(codes), to.at(gamma), fixed(W!.shape[0]), fixed(W!.shape[1]))
  },
  cases: [
    { name: 'n1_k1', inputs: [{ shape: [1, 1], gradient: false }] },
    { name: 'n9_k33', inputs: [{ shape: [9, 33], gradient: false }] },
    { name: 'n16_k64', inputs: [{ shape: [16, 64], gradient: false }] },
  ],
}

/**
 * y = (Xt . Wt^T) * (gamma * (a/127)) + bias; the product of codes is an exact int32.
 * in   codes [..., K'] i8, a [...] f32, sums [...] i32 of the codes, Wt [N, K] t2, gamma [1] f32, bias [N] f32 or none
 * out  y [..., N] f32
 * grad d(codes) = dy . (gamma * Wt), d(Wt) = dy^T . (Xt * a/127), dbias = sum of dy over rows
 */
export const matmulTernaryOp: Op = {
  name: 'matmul_ternary',
  infer([, a, , W]) {
    return [{ shape: [...a!.shape, W!.shape[0]], dtype: 'f32' }]
  },
  reference([codes, a, , W, gamma, bias], [y]) {
    const [N, K] = W!.shape
    const stride = codes!.shape.at(-1)!
    for (let m = 0; m < a!.data.length; m++) {
      for (let n = 0; n < N; n++) {
        let sum = 0
        for (let k = 0; k < K; k++) sum += codes!.data[m * stride + k] * W!.data[n * K + k]
        y.data[m * N + n] = sum * (gamma!.data[0] * (a!.data[m] / 127)) + (bias ? bias.data[n] : 0)
      }
    }
  },
  grad(b, { inputs: [codes, a, , W, gamma, bias] }, [dy], needs) {
    const K = columns(W!.shape)
    return [
      needs[0] ? b.apply(ternaryBackInputOp, [dy, W, gamma])[0] : undefined,
      undefined,
      undefined,
      needs[3] ? matmulBackWeight(b, dy!, b.apply(dequantizeRowsOp, [codes, a], { K })[0]) : undefined,
      undefined,
      bias && needs[5] ? sumColumns(b, dy!) : undefined,
    ]
  },
  lower({ inputs: [codes, a, sums, W, gamma, bias], outputs: [y] }, to) {
    const [N, K] = [fixed(W!.shape[0]), fixed(W!.shape[1])]
    const scratch = to.scratch(16 * roundUp(K, CODE_ALIGN) + 64)
    const operands = [codes, a, sums, W, gamma, bias, y].map((value) => to.at(value))
    to.call('matmul_nt__i8_t2', ...operands, scratch, times(...a!.shape), K, N)
  },
  macs: ({ inputs: [, a, , W] }) => times(...a!.shape, ...W!.shape),
  cases: [],
}

/** dx[..., K] = dy[..., N] . (gamma * Wt[N, K]), straight from the packed codes. */
const ternaryBackInputOp: Op = {
  name: 'matmul_ternary_back_input',
  infer([dy, W]) {
    return [{ shape: [...dy!.shape.slice(0, -1), W!.shape[1]], dtype: 'f32' }]
  },
  reference([dy, W, gamma], [dx]) {
    const [N, K] = W!.shape
    for (let m = 0; m < dx.data.length / K; m++) {
      for (let n = 0; n < N; n++) {
        const g = dy!.data[m * N + n] * gamma!.data[0]
        for (let k = 0; k < K; k++) dx.data[m * K + k] += g * W!.data[n * K + k]
      }
    }
  },
  lower({ inputs: [dy, W, gamma], outputs: [dx] }, to) {
    const [N, K] = [fixed(W!.shape[0]), fixed(W!.shape[1])]
    const scratch = to.scratch(panelBytes(K, N))
    to.call('matmul_nn__t2', to.at(dy), to.at(W), to.at(gamma), to.at(dx), scratch, rows(dy!.shape), K, N)
  },
  macs: ({ inputs: [dy, W] }) => times(...dy!.shape, W!.shape[1]),
  cases: [],
}

/** A ternary linear x [..., K], W [N, K] -> [..., N]. Linears of one input share its codes. */
export function bitLinear(b: Builder, x: Value, W: Value, bias?: Value | null): Value {
  const [codes, a, sums] = b.apply(quantizeRowsOp, [x])
  const [weights, gamma] = b.apply(ternarizeOp, [W])
  return b.apply(matmulTernaryOp, [codes, a, sums, weights, gamma, bias])[0]
}
