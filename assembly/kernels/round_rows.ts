/**
 * Weights as the numbers that int8 codes stand for, one scale a row (the int8 towers of model.md section 3). The
 * scale is one f32 division and rounding is half to even, so every instruction set gives the same bits.
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
