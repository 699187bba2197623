/**
 * Gaussian error linear unit with erf (arXiv 1606.08415) and its gradient. Both need e = exp(-x^2/2) only: it is the
 * density up to a factor, and the tail of the distribution is a polynomial times e. Bound by arithmetic, one
 * exponential and one division an element.
 */
import { bytes } from '../lib/lanes'
import { exp, exp4 } from '../lib/math'

/** 1 / sqrt(2 pi). */
const DENSITY: f32 = 0.3989422804

/**
 * 1 - Phi(|x|), given e = exp(-x^2/2): Abramowitz & Stegun 7.1.26, half of erfc(|x|/sqrt 2), so their coefficients
 * halved and p / sqrt 2. Absolute error < 1e-7.
 */
function tail(x: f32, e: f32): f32 {
  const t: f32 = 1 / (1 + <f32>0.231641889 * abs(x))
  let y: f32 = 0.5307027145
  y = y * t - 0.7265760135
  y = y * t + 0.7107068705
  y = y * t - 0.142248368
  y = y * t + 0.127414796
  return y * t * e
}

function tail4(x: v128, e: v128): v128 {
  const one = f32x4.splat(1)
  const t = f32x4.div(one, f32x4.add(one, f32x4.mul(f32x4.splat(0.231641889), f32x4.abs(x))))
  let y = f32x4.splat(0.5307027145)
  y = f32x4.sub(f32x4.mul(y, t), f32x4.splat(0.7265760135))
  y = f32x4.add(f32x4.mul(y, t), f32x4.splat(0.7107068705))
  y = f32x4.sub(f32x4.mul(y, t), f32x4.splat(0.142248368))
  y = f32x4.add(f32x4.mul(y, t), f32x4.splat(0.127414796))
  return f32x4.mul(f32x4.mul(y, t), e)
}

/** y = x * Phi(x) = max(x, 0) - |x| * (1 - Phi(|x|)). */
export function gelu__f32(xAt: usize, yAt: usize, n: i32): void {
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      const x = v128.load(xAt + i)
      const q = tail4(x, exp4(f32x4.mul(f32x4.mul(f32x4.splat(-0.5), x), x)))
      v128.store(yAt + i, f32x4.sub(f32x4.max(x, f32x4.splat(0)), f32x4.mul(f32x4.abs(x), q)))
    }
  }
  for (const end = bytes(n); i < end; i += 4) {
    const x = load<f32>(xAt + i)
    const q = tail(x, exp(<f32>-0.5 * x * x))
    store<f32>(yAt + i, max<f32>(x, 0) - abs(x) * q)
  }
}

/** dx = dy * (Phi(x) + x * phi(x)). */
export function gelu_grad__f32(dyAt: usize, xAt: usize, dxAt: usize, n: i32): void {
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    const zero = f32x4.splat(0)
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      const x = v128.load(xAt + i)
      const e = exp4(f32x4.mul(f32x4.mul(f32x4.splat(-0.5), x), x))
      const q = tail4(x, e)
      const phi = v128.bitselect(f32x4.sub(f32x4.splat(1), q), q, f32x4.gt(x, zero))
      const slope = f32x4.add(phi, f32x4.mul(x, f32x4.mul(e, f32x4.splat(DENSITY))))
      v128.store(dxAt + i, f32x4.mul(v128.load(dyAt + i), slope))
    }
  }
  for (const end = bytes(n); i < end; i += 4) {
    const x = load<f32>(xAt + i)
    const e = exp(<f32>-0.5 * x * x)
    const q = tail(x, e)
    const phi: f32 = x > 0 ? 1 - q : q
    store<f32>(dxAt + i, load<f32>(dyAt + i) * (phi + x * (e * DENSITY)))
  }
}
