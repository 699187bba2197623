/**
 * Weights as ternary codes (BitNet b1.58, arXiv 2402.17764; model.md section 2), packed in the block layout of
 * src/abi.ts. Runs at every training step on every weight, and once at export. Bound by the sum of the mean, then by
 * divisions: multiplying by 1/gamma would round some weights to the other side.
 */
import { bytes } from '../lib/lanes'

/** Powers of 2 at which the codes of 8 inputs lie: bits 0, 8, 2, 10, 4, 12, 6, 14. */
const PLACES = memory.data<i16>([1, 256, 4, 1024, 16, 4096, 64, 16384], 16)

/** One row of a block: w + 1 of `inside` weights, w = clip(round(W/gamma), -1, 1), that is the sign beyond 1/2; then 1. */
function codesOf(wAt: usize, inside: i32, gamma: f32): i32 {
  if (ASC_FEATURE_SIMD && inside == 8) {
    const g = f32x4.splat(gamma)
    const low = signs(f32x4.div(v128.load(wAt), g))
    const high = signs(f32x4.div(v128.load(wAt, 16), g))
    const codes = i16x8.add(i16x8.narrow_i32x4_s(low, high), i16x8.splat(1))
    const sums = i32x4.dot_i16x8_s(codes, v128.load(PLACES))
    return (
      i32x4.extract_lane(sums, 0) +
      i32x4.extract_lane(sums, 1) +
      (i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3))
    )
  }
  let codes = 0
  for (let k = 0; k < 8; k++) {
    let code = 1
    if (k < inside) {
      const w: f32 = load<f32>(wAt + bytes(k)) / gamma
      code += i32(w > 0.5) - i32(w < -0.5)
    }
    codes += code * load<i16>(PLACES + ((<usize>k) << 1))
  }
  return codes
}

function signs(w: v128): v128 {
  return i32x4.sub(f32x4.lt(w, f32x4.splat(-0.5)), f32x4.gt(w, f32x4.splat(0.5)))
}

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

  for (let n0 = 0; n0 < N; n0 += 8) {
    for (let k0 = 0; k0 < K; k0 += 8) {
      for (let j = 0; j < 8; j++) {
        const row = n0 + j
        const inside = row < N ? min(8, K - k0) : 0
        store<u16>(packedAt + ((<usize>j) << 1), <u16>codesOf(wAt + bytes(row * K + k0), inside, gamma))
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
