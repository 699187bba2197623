/**
 * Activations as int8, one scale a row (model.md section 2). Rounding is half to even, the scale one f32 division, so
 * every instruction set gives the same codes. Bound by memory traffic.
 */
import { bytes, maxAbs } from '../lib/lanes'
import { endOf, firstOf } from '../lib/threads'

/** Bits of 1.5 * 2^23: a number below 2^22 added to it rounds, half to even, into the low bits of the sum. */
const ROUND: i32 = 0x4b400000

/** Four of x * s, rounded: `round` holds ROUND in every lane. */
function rounded(xAt: usize, scale: v128, round: v128): v128 {
  return i32x4.sub(f32x4.add(f32x4.mul(v128.load(xAt), scale), round), round)
}

/** a = max(max|x|, 1e-5), codes = clip(round(x * (127/a))), rows padded with zeros to 16 bytes, and their sums. */
export function quantize_rows__f32(xAt: usize, codesAt: usize, absmaxAt: usize, sumsAt: usize, M: i32, K: i32): void {
  const stride = (K + 15) & ~15
  const first = firstOf(M)
  xAt += bytes(first * K)
  codesAt += <usize>first * <usize>stride
  for (let m = first, end = endOf(M); m < end; m++) {
    const a = max<f32>(maxAbs(xAt, K), 1e-5)
    const s: f32 = 127 / a
    store<f32>(absmaxAt + bytes(m), a)
    let sum = 0
    let k = 0
    if (ASC_FEATURE_SIMD) {
      const scale = f32x4.splat(s)
      const round = i32x4.splat(ROUND)
      let sums = i32x4.splat(0)
      for (; k + 16 <= K; k += 16) {
        const at = xAt + bytes(k)
        const c0 = rounded(at, scale, round)
        const c1 = rounded(at + 16, scale, round)
        const c2 = rounded(at + 32, scale, round)
        const c3 = rounded(at + 48, scale, round)
        sums = i32x4.add(sums, i32x4.add(i32x4.add(c0, c1), i32x4.add(c2, c3)))
        const low = i16x8.narrow_i32x4_s(c0, c1)
        v128.store(codesAt + k, i8x16.narrow_i16x8_s(low, i16x8.narrow_i32x4_s(c2, c3)))
      }
      sum =
        i32x4.extract_lane(sums, 0) +
        i32x4.extract_lane(sums, 1) +
        (i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3))
    }
    for (; k < K; k++) {
      const code = <i32>min<f32>(max<f32>(nearest<f32>(load<f32>(xAt + bytes(k)) * s), -128), 127)
      sum += code
      store<i8>(codesAt + k, <i8>code)
    }
    for (; k < stride; k++) store<i8>(codesAt + k, 0)
    store<i32>(sumsAt + bytes(m), sum)
    xAt += bytes(K)
    codesAt += stride
  }
}

/** x[M,K] = codes * (a/127). */
export function dequantize_rows__i8(codesAt: usize, absmaxAt: usize, xAt: usize, M: i32, K: i32): void {
  const stride = (K + 15) & ~15
  const first = firstOf(M)
  xAt += bytes(first * K)
  codesAt += <usize>first * <usize>stride
  for (let m = first, end = endOf(M); m < end; m++) {
    const s: f32 = load<f32>(absmaxAt + bytes(m)) / 127
    let k = 0
    if (ASC_FEATURE_SIMD) {
      const scale = f32x4.splat(s)
      for (; k + 8 <= K; k += 8) {
        const codes = v128.load8x8_s(codesAt + k)
        const at = xAt + bytes(k)
        v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(codes)), scale))
        v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(codes)), scale), 16)
      }
    }
    for (; k < K; k++) store<f32>(xAt + bytes(k), <f32>load<i8>(codesAt + k) * s)
    xAt += bytes(K)
    codesAt += stride
  }
}
