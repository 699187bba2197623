/**
 * Matrices as int8 codes with one f32 scale a row (model.md section 2: embeddings and other f32 matrices of an exported
 * model; section 3: `int8` towers). Same arithmetic as the kernel round_rows, so codes * scale are the numbers that the
 * int8 tower was trained with. Coded at export, decoded at load.
 */
import { requireThat } from '../base/errors.ts'
import { roundEven } from '../base/math.ts'

export interface RowCodes {
  /** [N,K], from -127 to 127. */
  codes: Int8Array
  /** [N]: the weight is code * scale. */
  scales: Float32Array
}

/** scale = max(max|w|, 1e-8)/127 and code = clip(round(w/scale), -127, 127), both in f32, for each row of W [N,K]. */
export function encodeRows(W: Float32Array, N: number, K: number): RowCodes {
  requireThat(W.length === N * K, 'encodeRows', `must have ${N} x ${K} weights`, W.length)
  const codes = new Int8Array(N * K)
  const scales = new Float32Array(N)
  for (let n = 0; n < N; n++) {
    const row = W.subarray(n * K, n * K + K)
    let most = Math.fround(1e-8)
    for (const w of row) {
      requireThat(Number.isFinite(w), 'encodeRows', `weights of row ${n} must be finite`, w)
      most = Math.max(most, Math.abs(w))
    }
    // Rounding the exact quotient of two f32 to f64 and then to f32 gives the f32 quotient.
    scales[n] = most / 127
    row.forEach((w, k) => (codes[n * K + k] = Math.min(127, Math.max(-127, roundEven(Math.fround(w / scales[n]))))))
  }
  return { codes, scales }
}

/** The weights [N,K] that the codes stand for. */
export function decodeRows({ codes, scales }: RowCodes, N: number, K: number): Float32Array {
  requireThat(codes.length === N * K, 'decodeRows', `must have ${N} x ${K} codes`, codes.length)
  requireThat(scales.length === N, 'decodeRows', `must have ${N} scales`, scales.length)
  const W = new Float32Array(N * K)
  let i = 0
  for (const scale of scales) for (const end = i + K; i < end; i++) W[i] = codes[i] * scale
  return W
}
