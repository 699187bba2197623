/**
 * Gaussian error linear unit with erf (arXiv 1606.08415) and its gradient, from the tail of the normal distribution.
 * Bound by arithmetic: one division an element, the gradient also one exponential.
 */
import { bytes } from '../lib/lanes'
import { exp, exp4, linear } from '../lib/math'
import { endOf, firstOf, LINE } from '../lib/threads'

/** 1 / sqrt(2 pi). */
const DENSITY: f32 = 0.3989422804
/** Beyond this the tail is 0 to f32 precision; the bound keeps infinity times 0 away. */
const FAR: f32 = 16

/**
 * 1 - Phi(u) for u >= 0: half of erfc(u / sqrt 2) by Abramowitz & Stegun 7.1.28, 1 / (1 + a1 u + ... + a6 u^6)^16 with
 * their coefficients over sqrt(2)^k. Absolute error < 9e-7, rounding included; needs no exponential.
 */
function tail(u: f32): f32 {
  const u2 = u * u
  const high = <f32>5.382975e-6 * u2 + (<f32>4.8890605e-5 * u + <f32>3.8003575e-5)
  const low = (<f32>3.2776263e-3 * u + <f32>2.1141006e-2) * u2 + <f32>4.9867347e-2 * u
  let p: f32 = high * (u2 * u2) + low + 1
  p *= p
  p *= p
  p *= p
  p *= p
  return <f32>0.5 / p
}

/** Constants of tail4 in memory: engines build a splat anew at every use in a loop, a load costs half of that. */
const TAIL = memory.data<f32>([
  5.382975e-6, 4.8890605e-5, 3.8003575e-5, 3.2776263e-3, 2.1141006e-2, 4.9867347e-2, 1, 0.5,
])

function tail4(u: v128): v128 {
  const u2 = f32x4.mul(u, u)
  const high = f32x4.add(f32x4.mul(v128.load32_splat(TAIL), u2), linear(TAIL + 4, u))
  const low = f32x4.add(f32x4.mul(linear(TAIL + 12, u), u2), f32x4.mul(v128.load32_splat(TAIL + 20), u))
  let p = f32x4.add(f32x4.mul(high, f32x4.mul(u2, u2)), low)
  p = f32x4.add(p, v128.load32_splat(TAIL + 24))
  p = f32x4.mul(p, p)
  p = f32x4.mul(p, p)
  p = f32x4.mul(p, p)
  p = f32x4.mul(p, p)
  return f32x4.div(v128.load32_splat(TAIL + 28), p)
}

/** min(|x|, FAR). */
function clip(x: f32): f32 {
  return FAR < abs(x) ? FAR : abs(x)
}

function clip4(x: v128): v128 {
  return f32x4.pmin(f32x4.abs(x), f32x4.splat(FAR))
}

/** y = x * Phi(x) = max(x, 0) - |x| * (1 - Phi(|x|)). */
export function gelu__f32(xAt: usize, yAt: usize, n: i32): void {
  let i = bytes(firstOf(n, LINE))
  n = endOf(n, LINE)
  if (ASC_FEATURE_SIMD) {
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      const x = v128.load(xAt + i)
      const u = clip4(x)
      v128.store(yAt + i, f32x4.sub(f32x4.pmax(x, f32x4.splat(0)), f32x4.mul(u, tail4(u))))
    }
  }
  for (const end = bytes(n); i < end; i += 4) {
    const x = load<f32>(xAt + i)
    const u = clip(x)
    store<f32>(yAt + i, (x < 0 ? 0 : x) - u * tail(u))
  }
}

/** dx = dy * (Phi(x) + x * phi(x)). */
export function gelu_grad__f32(dyAt: usize, xAt: usize, dxAt: usize, n: i32): void {
  let i = bytes(firstOf(n, LINE))
  n = endOf(n, LINE)
  if (ASC_FEATURE_SIMD) {
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      const x = v128.load(xAt + i)
      const e = exp4(f32x4.mul(f32x4.mul(f32x4.splat(-0.5), x), x))
      const q = tail4(clip4(x))
      const phi = v128.bitselect(f32x4.sub(f32x4.splat(1), q), q, f32x4.gt(x, f32x4.splat(0)))
      const slope = f32x4.add(phi, f32x4.mul(x, f32x4.mul(e, f32x4.splat(DENSITY))))
      v128.store(dxAt + i, f32x4.mul(v128.load(dyAt + i), slope))
    }
  }
  for (const end = bytes(n); i < end; i += 4) {
    const x = load<f32>(xAt + i)
    const e = exp(<f32>-0.5 * x * x)
    const q = tail(clip(x))
    const phi: f32 = x > 0 ? 1 - q : q
    store<f32>(dxAt + i, load<f32>(dyAt + i) * (phi + x * (e * DENSITY)))
  }
}
