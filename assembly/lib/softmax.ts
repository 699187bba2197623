/**
 * The two loops of a softmax over a row of f32: its largest element, and exponentials with their sum. The same bits on
 * every instruction set: the sum runs in four interleaved partial sums as in lanes.ts.
 */
import { bytes } from './lanes'
import { exp, exp4 } from './math'
import { scratch } from './threads'

/** Largest of x[n], n >= 1. A NaN may be passed over: it comes back in the exponentials. */
export function largest(at: usize, n: i32): f32 {
  let most = load<f32>(at)
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    let m = f32x4.splat(most)
    // pmax is one instruction, max is eight.
    for (const whole = bytes(n & ~3); i < whole; i += 16) m = f32x4.pmax(m, v128.load(at + i))
    most = max(
      max(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1)),
      max(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3)),
    )
  }
  for (const end = bytes(n); i < end; i += 4) most = max(most, load<f32>(at + i))
  return most
}

/** Replaces x[n] by e^(scale * (x - most)); returns the sum. */
export function exponentials(at: usize, scale: f32, most: f32, n: i32): f32 {
  const whole = bytes(n & ~3)
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    const m = f32x4.splat(most)
    const s = f32x4.splat(scale)
    let sum = f32x4.splat(0)
    for (; i < whole; i += 16) {
      const e = exp4(f32x4.mul(f32x4.sub(v128.load(at + i), m), s))
      v128.store(at + i, e)
      sum = f32x4.add(sum, e)
    }
    v128.store(scratch, sum)
  } else memory.fill(scratch, 0, 16)
  for (const end = bytes(n); i < end; i += 4) {
    const e = exp((load<f32>(at + i) - most) * scale)
    store<f32>(at + i, e)
    const lane = scratch + (i & 12)
    store<f32>(lane, load<f32>(lane) + e)
  }
  return load<f32>(scratch) + load<f32>(scratch, 4) + (load<f32>(scratch, 8) + load<f32>(scratch, 12))
}
