/**
 * Loops over a row of f32, the same bits on every instruction set: sums run in four interleaved partial sums
 * (element i in lane i % 4, tail elements too), combined (l0 + l1) + (l2 + l3).
 */

/** Bytes of n f32. */
export function bytes(n: i32): usize {
  return (<usize>n) << 2
}

function combine(l0: f32, l1: f32, l2: f32, l3: f32): f32 {
  return l0 + l1 + (l2 + l3)
}

/** Sum of a row, or with `b` the dot product of two. */
export function dot(a: usize, b: usize, n: i32): f32 {
  const whole = bytes(n & ~3)
  const end = bytes(n)
  let l0: f32 = 0,
    l1: f32 = 0,
    l2: f32 = 0,
    l3: f32 = 0
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    let sum = f32x4.splat(0)
    for (; i < whole; i += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(a + i), v128.load(b + i)))
    l0 = f32x4.extract_lane(sum, 0)
    l1 = f32x4.extract_lane(sum, 1)
    l2 = f32x4.extract_lane(sum, 2)
    l3 = f32x4.extract_lane(sum, 3)
  } else {
    for (; i < whole; i += 16) {
      l0 += load<f32>(a + i) * load<f32>(b + i)
      l1 += load<f32>(a + i, 4) * load<f32>(b + i, 4)
      l2 += load<f32>(a + i, 8) * load<f32>(b + i, 8)
      l3 += load<f32>(a + i, 12) * load<f32>(b + i, 12)
    }
  }
  if (i < end) l0 += load<f32>(a + i) * load<f32>(b + i)
  if (i + 4 < end) l1 += load<f32>(a + i, 4) * load<f32>(b + i, 4)
  if (i + 8 < end) l2 += load<f32>(a + i, 8) * load<f32>(b + i, 8)
  return combine(l0, l1, l2, l3)
}

export function sumSquares(a: usize, n: i32): f32 {
  return dot(a, a, n)
}

export function sum(a: usize, n: i32): f32 {
  const whole = bytes(n & ~3)
  const end = bytes(n)
  let l0: f32 = 0,
    l1: f32 = 0,
    l2: f32 = 0,
    l3: f32 = 0
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    let sum = f32x4.splat(0)
    for (; i < whole; i += 16) sum = f32x4.add(sum, v128.load(a + i))
    l0 = f32x4.extract_lane(sum, 0)
    l1 = f32x4.extract_lane(sum, 1)
    l2 = f32x4.extract_lane(sum, 2)
    l3 = f32x4.extract_lane(sum, 3)
  } else {
    for (; i < whole; i += 16) {
      l0 += load<f32>(a + i)
      l1 += load<f32>(a + i, 4)
      l2 += load<f32>(a + i, 8)
      l3 += load<f32>(a + i, 12)
    }
  }
  if (i < end) l0 += load<f32>(a + i)
  if (i + 4 < end) l1 += load<f32>(a + i, 4)
  if (i + 8 < end) l2 += load<f32>(a + i, 8)
  return combine(l0, l1, l2, l3)
}

/** Sum of (a - mean)^2. */
export function sumSquaresAbout(a: usize, mean: f32, n: i32): f32 {
  const whole = bytes(n & ~3)
  const end = bytes(n)
  let l0: f32 = 0,
    l1: f32 = 0,
    l2: f32 = 0,
    l3: f32 = 0
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    let sum = f32x4.splat(0)
    const m = f32x4.splat(mean)
    for (; i < whole; i += 16) {
      const d = f32x4.sub(v128.load(a + i), m)
      sum = f32x4.add(sum, f32x4.mul(d, d))
    }
    l0 = f32x4.extract_lane(sum, 0)
    l1 = f32x4.extract_lane(sum, 1)
    l2 = f32x4.extract_lane(sum, 2)
    l3 = f32x4.extract_lane(sum, 3)
  } else {
    for (; i < whole; i += 16) {
      l0 += square(load<f32>(a + i) - mean)
      l1 += square(load<f32>(a + i, 4) - mean)
      l2 += square(load<f32>(a + i, 8) - mean)
      l3 += square(load<f32>(a + i, 12) - mean)
    }
  }
  if (i < end) l0 += square(load<f32>(a + i) - mean)
  if (i + 4 < end) l1 += square(load<f32>(a + i, 4) - mean)
  if (i + 8 < end) l2 += square(load<f32>(a + i, 8) - mean)
  return combine(l0, l1, l2, l3)
}

function square(x: f32): f32 {
  return x * x
}

/** Largest absolute value; NaN if there is one: as integers, magnitudes are in order and NaN is above them. */
export function maxAbs(a: usize, n: i32): f32 {
  let most: f32 = 0
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    let m = i32x4.splat(0)
    for (const whole = bytes(n & ~3); i < whole; i += 16) m = i32x4.max_s(m, f32x4.abs(v128.load(a + i)))
    most = max(
      max(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1)),
      max(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3)),
    )
  }
  for (const end = bytes(n); i < end; i += 4) most = max(most, abs(load<f32>(a + i)))
  return most
}

/** y += scale * x. */
export function axpy(scale: f32, x: usize, y: usize, n: i32): void {
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    const s = f32x4.splat(scale)
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      v128.store(y + i, f32x4.add(v128.load(y + i), f32x4.mul(s, v128.load(x + i))))
    }
  }
  for (const end = bytes(n); i < end; i += 4) store<f32>(y + i, load<f32>(y + i) + scale * load<f32>(x + i))
}

/** y += x. */
export function addRow(x: usize, y: usize, n: i32): void {
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      v128.store(y + i, f32x4.add(v128.load(y + i), v128.load(x + i)))
    }
  }
  for (const end = bytes(n); i < end; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(x + i))
}

/** x[n] -= value. */
export function subtract(at: usize, value: f32, n: i32): void {
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    const v = f32x4.splat(value)
    for (const whole = bytes(n & ~3); i < whole; i += 16) v128.store(at + i, f32x4.sub(v128.load(at + i), v))
  }
  for (const end = bytes(n); i < end; i += 4) store<f32>(at + i, load<f32>(at + i) - value)
}

/** y = scale * x. */
export function scaleRow(scale: f32, x: usize, y: usize, n: i32): void {
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    const s = f32x4.splat(scale)
    for (const whole = bytes(n & ~3); i < whole; i += 16) v128.store(y + i, f32x4.mul(s, v128.load(x + i)))
  }
  for (const end = bytes(n); i < end; i += 4) store<f32>(y + i, scale * load<f32>(x + i))
}

/** y = x. For short rows: memory.copy is a call out of the module, worth it from a few hundred bytes on. */
export function copyRow(x: usize, y: usize, n: i32): void {
  if (ASC_FEATURE_SIMD) {
    let i: usize = 0
    for (const whole = bytes(n & ~3); i < whole; i += 16) v128.store(y + i, v128.load(x + i))
    for (const end = bytes(n); i < end; i += 4) store<f32>(y + i, load<f32>(x + i))
  } else {
    memory.copy(y, x, bytes(n))
  }
}
