/**
 * Weights as the numbers that int8 codes stand for, one scale a row (the int8 towers of model.md section 3): rounded to
 * them in training, decoded from the codes of a model file. The scale is one f32 division and rounding is half to even,
 * so every instruction set gives the same bits.
 */
import { bytes, maxAbs } from '../lib/lanes'

/** s = max(max|w|, 1e-8)/127, y = clip(round(w/s), -127, 127) * s for each row of w [N,K]. */
export function round_rows__f32(wAt: usize, yAt: usize, N: i32, K: i32): void {
  const end = bytes(K)
  const whole = bytes(K & ~3)
  for (let n = 0; n < N; n++) {
    const s: f32 = max<f32>(maxAbs(wAt, K), 1e-8) / 127
    let i: usize = 0
    if (ASC_FEATURE_SIMD) {
      const scale = f32x4.splat(s)
      const most = f32x4.splat(127)
      const least = f32x4.splat(-127)
      for (; i < whole; i += 16) {
        const code = f32x4.nearest(f32x4.div(v128.load(wAt + i), scale))
        v128.store(yAt + i, f32x4.mul(f32x4.min(f32x4.max(code, least), most), scale))
      }
    }
    for (; i < end; i += 4) {
      const code = nearest<f32>(load<f32>(wAt + i) / s)
      store<f32>(yAt + i, min<f32>(max<f32>(code, -127), 127) * s)
    }
    wAt += end
    yAt += end
  }
}

/** w[N,K] = codes * scale of the row. */
export function decode_rows__i8(codesAt: usize, scalesAt: usize, wAt: usize, N: i32, K: i32): void {
  for (let n = 0; n < N; n++) {
    const s = load<f32>(scalesAt + bytes(n))
    let k = 0
    if (ASC_FEATURE_SIMD) {
      const scale = f32x4.splat(s)
      for (; k + 8 <= K; k += 8) {
        const codes = v128.load8x8_s(codesAt + k)
        const at = wAt + bytes(k)
        v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(codes)), scale))
        v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(codes)), scale), 16)
      }
    }
    for (; k < K; k++) store<f32>(wAt + bytes(k), <f32>load<i8>(codesAt + k) * s)
    wAt += bytes(K)
    codesAt += K
  }
}
