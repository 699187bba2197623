/**
 * What follows the backward pass: sums of gradients over micro-batches, their global norm, and AdamW (Loshchilov &
 * Hutter, arXiv 1711.05101). All run in place over every parameter once a step, bound by memory traffic. Where
 * `touchedAt` is given, only rows whose flag is not 0 exist: the others hold no gradient, and moments of zero.
 */
import { axpy, bytes } from '../lib/lanes'
import { endOf, firstOf, LINE } from '../lib/threads'

function skips(touchedAt: usize, row: i32): bool {
  return touchedAt != 0 && load<u8>(touchedAt + <usize>row) == 0
}

/** sum[M,K] = 0. */
export function zero__f32(touchedAt: usize, sumAt: usize, M: i32, K: i32): void {
  for (let m = 0; m < M; m++, sumAt += bytes(K)) if (!skips(touchedAt, m)) memory.fill(sumAt, 0, bytes(K))
}

/** sum[M,K] += weight * x. */
export function accumulate__f32(xAt: usize, touchedAt: usize, sumAt: usize, M: i32, K: i32, weight: f32): void {
  for (let m = 0; m < M; m++, xAt += bytes(K), sumAt += bytes(K)) {
    if (!skips(touchedAt, m)) axpy(weight, xAt, sumAt, K)
  }
}

/** Sum of squares of a row in f64: four partial sums, as in lanes.ts. */
function squares(x: usize, n: i32): f64 {
  const whole = bytes(n & ~3)
  const end = bytes(n)
  let l0: f64 = 0,
    l1: f64 = 0,
    l2: f64 = 0,
    l3: f64 = 0
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    let low = f64x2.splat(0)
    let high = f64x2.splat(0)
    for (; i < whole; i += 16) {
      const a = f64x2.promote_low_f32x4(v128.load64_zero(x + i))
      const b = f64x2.promote_low_f32x4(v128.load64_zero(x + i, 8))
      low = f64x2.add(low, f64x2.mul(a, a))
      high = f64x2.add(high, f64x2.mul(b, b))
    }
    l0 = f64x2.extract_lane(low, 0)
    l1 = f64x2.extract_lane(low, 1)
    l2 = f64x2.extract_lane(high, 0)
    l3 = f64x2.extract_lane(high, 1)
  } else {
    for (; i < whole; i += 16) {
      l0 += square(load<f32>(x + i))
      l1 += square(load<f32>(x + i, 4))
      l2 += square(load<f32>(x + i, 8))
      l3 += square(load<f32>(x + i, 12))
    }
  }
  if (i < end) l0 += square(load<f32>(x + i))
  if (i + 4 < end) l1 += square(load<f32>(x + i, 4))
  if (i + 8 < end) l2 += square(load<f32>(x + i, 8))
  return l0 + l1 + (l2 + l3)
}

function square(x: f32): f64 {
  return <f64>x * <f64>x
}

/** sum[1] f64 += sum of x[M,K]^2. */
export function sum_squares__f32(xAt: usize, touchedAt: usize, sumAt: usize, M: i32, K: i32): void {
  let sum = load<f64>(sumAt)
  for (let m = 0; m < M; m++, xAt += bytes(K)) if (!skips(touchedAt, m)) sum += squares(xAt, K)
  store<f64>(sumAt, sum)
}

/** norm = sqrt(sum), factor = min(1, clip / (norm + 1e-6)); NaN where the norm is not finite, which skips the step. */
export function clip_factor__f32(sumAt: usize, normAt: usize, clip: f32): void {
  const norm = sqrt(load<f64>(sumAt))
  const finite = <f32>norm < Infinity
  store<f32>(normAt, <f32>norm)
  store<f32>(normAt, finite ? <f32>min<f64>(1, <f64>clip / (norm + 1e-6)) : NaN, 4)
}

/**
 * g *= factor, m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, p -= decay p + lr m c1 / (sqrt(v c2) + eps).
 * `controlAt` in the order of ADAM_CONTROL in ops/adamw.ts; `norm` is {norm, factor}. Nothing changes if it is NaN.
 */
export function adamw__f32(
  gAt: usize,
  controlAt: usize,
  normAt: usize,
  touchedAt: usize,
  pAt: usize,
  mAt: usize,
  vAt: usize,
  M: i32,
  K: i32,
  decays: i32,
  rate: f32,
): void {
  const factor = load<f32>(normAt, 4)
  if (factor != factor) return
  const lr = load<f32>(controlAt) * rate
  const decay = decays ? lr * load<f32>(controlAt, 4) : 0
  const b1 = load<f32>(controlAt, 8)
  const rest1 = load<f32>(controlAt, 12)
  const b2 = load<f32>(controlAt, 16)
  const rest2 = load<f32>(controlAt, 20)
  const eps = load<f32>(controlAt, 24)
  const step = lr * load<f32>(controlAt, 28)
  const c2 = load<f32>(controlAt, 32)
  const at = bytes(firstOf(K, LINE))
  const n = endOf(K, LINE) - firstOf(K, LINE)
  gAt += at
  pAt += at
  mAt += at
  vAt += at
  for (let row = 0; row < M; row++) {
    if (!skips(touchedAt, row)) updateRow(gAt, pAt, mAt, vAt, n, factor, b1, rest1, b2, rest2, step, c2, eps, decay)
    gAt += bytes(K)
    pAt += bytes(K)
    mAt += bytes(K)
    vAt += bytes(K)
  }
}

function updateRow(
  g: usize,
  p: usize,
  m: usize,
  v: usize,
  n: i32,
  factor: f32,
  b1: f32,
  rest1: f32,
  b2: f32,
  rest2: f32,
  step: f32,
  c2: f32,
  eps: f32,
  decay: f32,
): void {
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    const factorx4 = f32x4.splat(factor)
    const b1x4 = f32x4.splat(b1)
    const rest1x4 = f32x4.splat(rest1)
    const b2x4 = f32x4.splat(b2)
    const rest2x4 = f32x4.splat(rest2)
    const stepx4 = f32x4.splat(step)
    const c2x4 = f32x4.splat(c2)
    const epsx4 = f32x4.splat(eps)
    const decayx4 = f32x4.splat(decay)
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      const gi = f32x4.mul(v128.load(g + i), factorx4)
      const pi = v128.load(p + i)
      const mi = f32x4.add(f32x4.mul(b1x4, v128.load(m + i)), f32x4.mul(rest1x4, gi))
      const vi = f32x4.add(f32x4.mul(b2x4, v128.load(v + i)), f32x4.mul(rest2x4, f32x4.mul(gi, gi)))
      const root = f32x4.add(f32x4.sqrt(f32x4.mul(vi, c2x4)), epsx4)
      const change = f32x4.add(f32x4.mul(decayx4, pi), f32x4.div(f32x4.mul(stepx4, mi), root))
      v128.store(m + i, mi)
      v128.store(v + i, vi)
      v128.store(p + i, f32x4.sub(pi, change))
    }
  }
  for (const end = bytes(n); i < end; i += 4) {
    const gi = load<f32>(g + i) * factor
    const pi = load<f32>(p + i)
    const mi: f32 = b1 * load<f32>(m + i) + rest1 * gi
    const vi: f32 = b2 * load<f32>(v + i) + rest2 * (gi * gi)
    store<f32>(m + i, mi)
    store<f32>(v + i, vi)
    store<f32>(p + i, pi - (decay * pi + (step * mi) / (sqrt(vi * c2) + eps)))
  }
}

/** x[n] = min(high, max(low, x)). */
export function clamp__f32(xAt: usize, n: i32, low: f32, high: f32): void {
  for (const end = xAt + bytes(n); xAt < end; xAt += 4) store<f32>(xAt, min(high, max(low, load<f32>(xAt))))
}
