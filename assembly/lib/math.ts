/**
 * Elementary functions in f32, as polynomials: engines differ in theirs, these give the same bits everywhere. Each
 * comes for one number and for four lanes, with the same operations in the same order.
 */

const LOG2E: f32 = 1.44269504
const LN2_HIGH: f32 = 0.693359375
const LN2_LOW: f32 = -2.1219444e-4

/** e^x, relative error < 2e-7 for x in [-87, 88] (Cephes expf); clamped outside. */
export function exp(x: f32): f32 {
  x = min<f32>(max<f32>(x, -87), 88)
  const n = nearest<f32>(x * LOG2E)
  const r = x - n * LN2_HIGH - n * LN2_LOW
  let y: f32 = 1.98756915e-4
  y = y * r + 1.3981999507e-3
  y = y * r + 8.3334519073e-3
  y = y * r + 4.1665795894e-2
  y = y * r + 1.6666665459e-1
  y = y * r + 5.0000001201e-1
  y = y * (r * r) + r + 1
  return y * reinterpret<f32>((<i32>n + 127) << 23)
}

export function exp4(x: v128): v128 {
  x = f32x4.min(f32x4.max(x, f32x4.splat(-87)), f32x4.splat(88))
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(LOG2E)))
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, f32x4.splat(LN2_HIGH))), f32x4.mul(n, f32x4.splat(LN2_LOW)))
  let y = f32x4.splat(1.98756915e-4)
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.3981999507e-3))
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(8.3334519073e-3))
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(4.1665795894e-2))
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.6666665459e-1))
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(5.0000001201e-1))
  y = f32x4.add(f32x4.add(f32x4.mul(y, f32x4.mul(r, r)), r), f32x4.splat(1))
  return f32x4.mul(y, i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23))
}

/** tanh x = sign(x) * (1 - 2/(e^2|x| + 1)), absolute error < 2e-7. */
export function tanh(x: f32): f32 {
  const y: f32 = 1 - 2 / (exp(2 * abs(x)) + 1)
  return copysign<f32>(y, x)
}

/** erf x, absolute error < 3e-7 (Abramowitz & Stegun 7.1.26, 1.5e-7, and rounding). */
export function erf(x: f32): f32 {
  const z = abs(x)
  const t: f32 = 1 / (1 + <f32>0.3275911 * z)
  let y: f32 = 1.061405429
  y = y * t - 1.453152027
  y = y * t + 1.421413741
  y = y * t - 0.284496736
  y = y * t + 0.254829592
  return copysign<f32>(1 - y * t * exp(-z * z), x)
}

export function erf4(x: v128): v128 {
  const one = f32x4.splat(1)
  const z = f32x4.abs(x)
  const t = f32x4.div(one, f32x4.add(one, f32x4.mul(f32x4.splat(0.3275911), z)))
  let y = f32x4.splat(1.061405429)
  y = f32x4.sub(f32x4.mul(y, t), f32x4.splat(1.453152027))
  y = f32x4.add(f32x4.mul(y, t), f32x4.splat(1.421413741))
  y = f32x4.sub(f32x4.mul(y, t), f32x4.splat(0.284496736))
  y = f32x4.add(f32x4.mul(y, t), f32x4.splat(0.254829592))
  const e = f32x4.mul(f32x4.mul(y, t), exp4(f32x4.mul(f32x4.neg(z), z)))
  const sign = f32x4.splat(-0.0)
  return v128.bitselect(x, f32x4.sub(one, e), sign)
}

export function tanh4(x: v128): v128 {
  const one = f32x4.splat(1)
  const e = exp4(f32x4.mul(f32x4.splat(2), f32x4.abs(x)))
  const y = f32x4.sub(one, f32x4.div(f32x4.splat(2), f32x4.add(e, one)))
  return v128.bitselect(x, y, f32x4.splat(-0.0))
}

/** Natural logarithm, relative error < 2e-7 for normal x > 0 (Cephes logf); NaN and infinity pass through. */
export function log(x: f32): f32 {
  if (!(x < Infinity)) return x
  const bits = reinterpret<i32>(x)
  let n = <f32>((bits >> 23) - 127)
  let m = reinterpret<f32>((bits & 0x7fffff) | 0x3f800000)
  if (m > <f32>1.41421356) {
    m *= 0.5
    n += 1
  }
  m -= 1
  let y: f32 = 7.0376836292e-2
  y = y * m - 1.151461031e-1
  y = y * m + 1.167699874e-1
  y = y * m - 1.2420140846e-1
  y = y * m + 1.4249322787e-1
  y = y * m - 1.6668057665e-1
  y = y * m + 2.0000714765e-1
  y = y * m - 2.4999993993e-1
  y = y * m + 3.3333331174e-1
  y = y * (m * m * m) + n * LN2_LOW - <f32>0.5 * (m * m)
  return m + y + n * LN2_HIGH
}
