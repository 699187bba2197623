/**
 * Elementary functions in f32, as polynomials: engines differ in theirs, these give the same bits everywhere. Each
 * comes for one number and for four lanes, with the same operations in the same order. Those of four lanes wait for
 * chains of dependent operations: their polynomials are split by powers of x (Estrin) where that shortens the chain.
 */
import { scratch, SCRATCH_BYTES } from './threads'

const LOG2E: f32 = 1.44269504
const LN2_HIGH: f32 = 0.693359375
const LN2_LOW: f32 = -2.1219444e-4
/** 1.5 * 2^23: added to |x| < 2^22 it rounds x to a whole number, half to even, into the low bits of the sum. */
const ROUND: f32 = 12582912

/**
 * e^x, relative error < 2e-7 for x in [-87, 88] (Cephes expf); above as at 88, below 0: at -88 the exponent bits are.
 * Were it the smallest normal number, then its share of a sum would not be one, and Intel processors take a hundred
 * times as long for products of those.
 */
export function exp(x: f32): f32 {
  x = min<f32>(max<f32>(x, -88), 88)
  const t = x * LOG2E + ROUND
  const n = t - ROUND
  const r = x - n * LN2_HIGH - n * LN2_LOW
  const r2 = r * r
  let y: f32 = <f32>1.98756915e-4 * r + <f32>1.3981999507e-3
  y = y * r2 + (<f32>8.3334519073e-3 * r + <f32>4.1665795894e-2)
  y = y * r2 + (<f32>1.6666665459e-1 * r + <f32>5.0000001201e-1)
  y = y * r2 + r + 1
  // The shift drops all of t but n.
  return y * reinterpret<f32>((reinterpret<i32>(t) + 127) << 23)
}

/** Constants of exp4 in memory: engines build a splat anew at every use in a loop, a load costs half of that. */
const EXP = memory.data<f32>([
  -88, 88, 1.44269504, 0.693359375, -2.1219444e-4, 1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2,
  1.6666665459e-1, 5.0000001201e-1, 1, 12582912,
])

/** a * x + b of two constants in memory. */
export function linear(at: usize, x: v128): v128 {
  return f32x4.add(f32x4.mul(v128.load32_splat(at), x), v128.load32_splat(at, 4))
}

export function exp4(x: v128): v128 {
  x = f32x4.pmin(f32x4.pmax(x, v128.load32_splat(EXP)), v128.load32_splat(EXP + 4))
  const t = f32x4.add(f32x4.mul(x, v128.load32_splat(EXP + 8)), v128.load32_splat(EXP + 48))
  const n = f32x4.sub(t, v128.load32_splat(EXP + 48))
  const high = f32x4.sub(x, f32x4.mul(n, v128.load32_splat(EXP + 12)))
  const r = f32x4.sub(high, f32x4.mul(n, v128.load32_splat(EXP + 16)))
  const r2 = f32x4.mul(r, r)
  let y = linear(EXP + 20, r)
  y = f32x4.add(f32x4.mul(y, r2), linear(EXP + 28, r))
  y = f32x4.add(f32x4.mul(y, r2), linear(EXP + 36, r))
  y = f32x4.add(f32x4.add(f32x4.mul(y, r2), r), v128.load32_splat(EXP + 44))
  return f32x4.mul(y, i32x4.shl(i32x4.add(t, i32x4.splat(127)), 23))
}

/**
 * Replaces the vectors x <= most from `at` to `end` by e^(scale * (x - most)), with the operations of exp4 but for its
 * upper bound; returns their sum, lane by lane. In two loops over as many as `scratch` holds: a processor looks too few
 * instructions ahead to overlap whole exponentials, and so the constants of a loop stay in registers.
 */
export function exps(at: usize, end: usize, most: f32, scale: f32): v128 {
  const m = f32x4.splat(most)
  const s = f32x4.splat(scale)
  const low = v128.load32_splat(EXP)
  const log2e = v128.load32_splat(EXP, 8)
  const ln2High = v128.load32_splat(EXP, 12)
  const ln2Low = v128.load32_splat(EXP, 16)
  const round = v128.load32_splat(EXP, 48)
  const c6 = v128.load32_splat(EXP, 20)
  const c5 = v128.load32_splat(EXP, 24)
  const c4 = v128.load32_splat(EXP, 28)
  const c3 = v128.load32_splat(EXP, 32)
  const c2 = v128.load32_splat(EXP, 36)
  const c1 = v128.load32_splat(EXP, 40)
  const one = v128.load32_splat(EXP, 44)
  let sum = f32x4.splat(0)
  while (at < end) {
    const from = at
    const stop = min(at + SCRATCH_BYTES, end)
    let power = scratch
    for (; at < stop; at += 16) {
      const x = f32x4.pmax(f32x4.mul(f32x4.sub(v128.load(at), m), s), low)
      const t = f32x4.add(f32x4.mul(x, log2e), round)
      const n = f32x4.sub(t, round)
      v128.store(at, f32x4.sub(f32x4.sub(x, f32x4.mul(n, ln2High)), f32x4.mul(n, ln2Low)))
      // The exponent of 1 is 127.
      v128.store(power, i32x4.add(i32x4.shl(t, 23), one))
      power += 16
    }
    power = scratch
    for (at = from; at < stop; at += 16) {
      const r = v128.load(at)
      const r2 = f32x4.mul(r, r)
      let y = f32x4.add(f32x4.mul(c6, r), c5)
      y = f32x4.add(f32x4.mul(y, r2), f32x4.add(f32x4.mul(c4, r), c3))
      y = f32x4.add(f32x4.mul(y, r2), f32x4.add(f32x4.mul(c2, r), c1))
      y = f32x4.add(f32x4.add(f32x4.mul(y, r2), r), one)
      y = f32x4.mul(y, v128.load(power))
      v128.store(at, y)
      sum = f32x4.add(sum, y)
      power += 16
    }
  }
  return sum
}

/** As EXP for powers of 2: the bound below, coefficients times powers of ln 2, 1, ROUND. */
const EXP2 = memory.data<f32>([
  -127, 1.5279195e-5, 1.55067951e-4, 1.33337479e-3, 9.6179281e-3, 5.55041046e-2, 2.40226513e-1, 6.93147181e-1, 1,
  12582912,
])

/**
 * As exps, but for last bits: by relaxed_madd, and of powers of 2, whose exponent leaves a rest without a rounding. One
 * loop: half the instructions are few enough to overlap.
 */
export function expsMadd(at: usize, end: usize, most: f32, scale: f32): v128 {
  let sum = f32x4.splat(0)
  if (!ASC_FEATURE_RELAXED_SIMD) return sum
  const m = f32x4.splat(most)
  const s = f32x4.splat(scale * LOG2E)
  const low = v128.load32_splat(EXP2)
  const c7 = v128.load32_splat(EXP2, 4)
  const c6 = v128.load32_splat(EXP2, 8)
  const c5 = v128.load32_splat(EXP2, 12)
  const c4 = v128.load32_splat(EXP2, 16)
  const c3 = v128.load32_splat(EXP2, 20)
  const c2 = v128.load32_splat(EXP2, 24)
  const c1 = v128.load32_splat(EXP2, 28)
  const one = v128.load32_splat(EXP2, 32)
  const round = v128.load32_splat(EXP2, 36)
  for (; at < end; at += 16) {
    const x = f32x4.pmax(f32x4.mul(f32x4.sub(v128.load(at), m), s), low)
    const t = f32x4.add(x, round)
    const r = f32x4.sub(x, f32x4.sub(t, round))
    const r2 = f32x4.mul(r, r)
    let y = f32x4.relaxed_madd(c7, r, c6)
    y = f32x4.relaxed_madd(y, r2, f32x4.relaxed_madd(c5, r, c4))
    y = f32x4.relaxed_madd(y, r2, f32x4.relaxed_madd(c3, r, c2))
    y = f32x4.relaxed_madd(y, r2, f32x4.relaxed_madd(c1, r, one))
    // The exponent of 1 is 127.
    y = f32x4.mul(y, i32x4.add(i32x4.shl(t, 23), one))
    v128.store(at, y)
    sum = f32x4.add(sum, y)
  }
  return sum
}

/** tanh x = sign(x) * (1 - 2/(e^2|x| + 1)), absolute error < 2e-7. */
export function tanh(x: f32): f32 {
  const y: f32 = 1 - 2 / (exp(2 * abs(x)) + 1)
  return copysign<f32>(y, x)
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

const LN2_HIGH_DOUBLE: f64 = 6.9314718036912381649e-1
const LN2_LOW_DOUBLE: f64 = 1.90821492927058770002e-10

/** Natural logarithm in f64, relative error < 1e-15 for normal x > 0 (as log in src/base/math.ts); NaN passes through. */
export function logDouble(x: f64): f64 {
  if (!(x < Infinity)) return x
  const bits = reinterpret<i64>(x)
  let n = <f64>((bits >> 52) - 1023)
  let m = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000)
  if (m > 1.4142135623730951) {
    m *= 0.5
    n += 1
  }
  const s = (m - 1) / (m + 1)
  const z = s * s
  let sum: f64 = 0
  for (let k = 27; k >= 1; k -= 2) sum = 1 / <f64>k + z * sum
  return n * LN2_HIGH_DOUBLE + (2 * s * sum + n * LN2_LOW_DOUBLE)
}
