/**
 * Weights as ternary codes (BitNet b1.58, arXiv 2402.17764; model.md section 2), packed in the block layout of
 * src/abi.ts. Runs once a training step and weight, and once at export: simple rather than fast.
 */
import { bytes } from '../lib/lanes'

/** gamma = max(mean|W|, 1e-5), codes = clip(round(W/gamma), -1, 1) of w[N,K]. The mean is summed in f64, four lanes. */
export function ternarize__f32(wAt: usize, packedAt: usize, gammaAt: usize, N: i32, K: i32): void {
  const n = N * K
  let s0: f64 = 0,
    s1: f64 = 0,
    s2: f64 = 0,
    s3: f64 = 0
  let i = 0
  for (; i + 4 <= n; i += 4) {
    const at = wAt + bytes(i)
    s0 += <f64>abs(load<f32>(at))
    s1 += <f64>abs(load<f32>(at, 4))
    s2 += <f64>abs(load<f32>(at, 8))
    s3 += <f64>abs(load<f32>(at, 12))
  }
  for (; i < n; i++) s0 += <f64>abs(load<f32>(wAt + bytes(i)))
  const gamma = max<f32>(<f32>((s0 + s1 + (s2 + s3)) / <f64>n), 1e-5)
  store<f32>(gammaAt, gamma)

  const blocks = (K + 7) >> 3
  for (let n0 = 0; n0 < N; n0 += 8) {
    for (let b = 0; b < blocks; b++) {
      for (let j = 0; j < 8; j++) {
        const row = n0 + j
        let codes = 0
        for (let p = 0; p < 8; p++) {
          const k = (b << 3) + p
          let code = 1
          if (row < N && k < K) {
            const w = load<f32>(wAt + bytes(row * K + k)) / gamma
            code = 1 + <i32>min<f32>(max<f32>(nearest<f32>(w), -1), 1)
          }
          codes |= code << (((p & 1) << 3) + ((p >> 1) << 1))
        }
        store<u16>(packedAt + ((<usize>j) << 1), <u16>codes)
      }
      packedAt += 16
    }
  }
}

/** w[N,K] = gamma * codes. */
export function unpack_ternary__t2(packedAt: usize, gammaAt: usize, wAt: usize, N: i32, K: i32): void {
  const gamma = load<f32>(gammaAt)
  const blocks = (K + 7) >> 3
  for (let n = 0; n < N; n++) {
    const row = packedAt + ((<usize>((n >> 3) * blocks)) << 4) + ((<usize>(n & 7)) << 1)
    for (let k = 0; k < K; k++) {
      const codes = <i32>load<u16>(row + ((<usize>(k >> 3)) << 4))
      const code = (codes >> (((k & 1) << 3) + (((k & 7) >> 1) << 1))) & 3
      store<f32>(wAt + bytes(n * K + k), gamma * <f32>(code - 1))
    }
  }
}
