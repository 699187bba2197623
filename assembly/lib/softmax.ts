/**
 * The softmax over rows of f32 with its gradient, and its two loops: the largest element, and exponentials with their
 * sum. The same bits on every instruction set, unless madd is asked for: sums run in four interleaved partial sums as in
 * lanes.ts.
 */
import { bytes, dot, scaleRow, subtract, sum } from './lanes'
import { exp, exps, expsMadd } from './math'
import { scratch } from './threads'

/** Largest of x[n], n >= 1. A NaN may be passed over: it comes back in the exponentials. */
export function largest(at: usize, n: i32): f32 {
  let most = load<f32>(at)
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    let m = f32x4.splat(most)
    let m1 = m
    // pmax is one instruction, max is eight; two chains, since one waits for itself.
    for (const pairs = bytes(n & ~7); i < pairs; i += 32) {
      m = f32x4.pmax(m, v128.load(at + i))
      m1 = f32x4.pmax(m1, v128.load(at + i, 16))
    }
    m = f32x4.pmax(m, m1)
    if (i < bytes(n & ~3)) {
      m = f32x4.pmax(m, v128.load(at + i))
      i += 16
    }
    most = max(
      max(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1)),
      max(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3)),
    )
  }
  for (const end = bytes(n); i < end; i += 4) most = max(most, load<f32>(at + i))
  return most
}

/** Replaces x[n] <= most by e^(scale * (x - most)); returns the sum. `madd`: last bits are the engine's. */
export function exponentials(at: usize, scale: f32, most: f32, n: i32, madd: bool = false): f32 {
  const whole = bytes(n & ~3)
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    v128.store(scratch, madd ? expsMadd(at, at + whole, most, scale) : exps(at, at + whole, most, scale))
    i = whole
  } else memory.fill(scratch, 0, 16)
  for (const end = bytes(n); i < end; i += 4) {
    const e = exp((load<f32>(at + i) - most) * scale)
    store<f32>(at + i, e)
    const lane = scratch + (i & 12)
    store<f32>(lane, load<f32>(lane) + e)
  }
  return load<f32>(scratch) + load<f32>(scratch, 4) + (load<f32>(scratch, 8) + load<f32>(scratch, 12))
}

/** Rows up to this length take their exponentials together, some at a time: each for itself would mostly wait. */
const SHORT = 128
const TOGETHER = 32

/**
 * Replaces every row x[n] of `rows` by e^(scale * (x - max)) over their sum. With `first` above 0 a row is of its first
 * elements alone, `first` of the first row and one more of each row below, and 0 behind them. `madd`: last bits are the
 * engine's. Where `factorsAt` is not 0, rows are left to be multiplied by the numbers there.
 */
export function softmax(at: usize, scale: f32, rows: i32, n: i32, first: i32, madd: bool, factorsAt: usize = 0): void {
  if (n == 0) return
  const row = bytes(n)
  const short = n <= SHORT
  for (let r = 0; r < rows; r += TOGETHER) {
    const end = min(rows, r + TOGETHER)
    if (short) {
      for (let i = r, x = at; i < end; i++, x += row) {
        const seen = first ? min(n, i + first) : n
        subtract(x, largest(x, seen), seen)
      }
      exponentials(at, scale, 0, (end - r) * n, madd)
    }
    for (let i = r; i < end; i++, at += row) {
      const seen = first ? min(n, i + first) : n
      const total = short ? sum(at, seen) : exponentials(at, scale, largest(at, seen), seen, madd)
      if (factorsAt) store<f32>(factorsAt + bytes(i), 1 / total)
      else scaleRow(1 / total, at, at, seen)
      // A fill is a call out of the module: not for nothing.
      if (seen < n) memory.fill(at + bytes(seen), 0, bytes(n - seen))
    }
  }
}

/** Replaces dp[n] by p * (dp - sum(dp * p)) * scale. */
export function softmaxGrad(pAt: usize, dpAt: usize, scale: f32, n: i32): void {
  const mean = dot(pAt, dpAt, n)
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    const m = f32x4.splat(mean)
    const s = f32x4.splat(scale)
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      const rest = f32x4.sub(v128.load(dpAt + i), m)
      v128.store(dpAt + i, f32x4.mul(f32x4.mul(v128.load(pAt + i), rest), s))
    }
  }
  for (const end = bytes(n); i < end; i += 4) {
    store<f32>(dpAt + i, load<f32>(pAt + i) * (load<f32>(dpAt + i) - mean) * scale)
  }
}
