/**
 * Element by element: sums, activations and their gradients, products by channel, tables of positions. Elements are
 * independent, or rows are added in order, so every instruction set gives the same bits. Bound by memory traffic.
 */
import { addRow, axpy, bytes, dot, scaleRow } from '../lib/lanes'
import { tanh, tanh4 } from '../lib/math'
import { endOf, firstOf, LINE } from '../lib/threads'

/** y = a + b. */
export function add__f32(aAt: usize, bAt: usize, yAt: usize, n: i32): void {
  const first = firstOf(n, LINE)
  const at = bytes(first)
  sumRow(aAt + at, bAt + at, yAt + at, endOf(n, LINE) - first)
}

/** y = a * b. */
export function multiply__f32(aAt: usize, bAt: usize, yAt: usize, n: i32): void {
  const first = firstOf(n, LINE)
  const at = bytes(first)
  mulRow(aAt + at, bAt + at, yAt + at, endOf(n, LINE) - first)
}

/** y = max(x, 0). */
export function relu__f32(xAt: usize, yAt: usize, n: i32): void {
  let i = bytes(firstOf(n, LINE))
  n = endOf(n, LINE)
  if (ASC_FEATURE_SIMD) {
    const zero = f32x4.splat(0)
    for (const whole = bytes(n & ~3); i < whole; i += 16) v128.store(yAt + i, f32x4.pmax(v128.load(xAt + i), zero))
  }
  for (const end = bytes(n); i < end; i += 4) {
    const x = load<f32>(xAt + i)
    store<f32>(yAt + i, x < 0 ? 0 : x)
  }
}

/** dx = dy where y > 0, else 0. */
export function relu_grad__f32(dyAt: usize, yAt: usize, dxAt: usize, n: i32): void {
  let i = bytes(firstOf(n, LINE))
  n = endOf(n, LINE)
  if (ASC_FEATURE_SIMD) {
    const zero = f32x4.splat(0)
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      v128.store(dxAt + i, v128.and(v128.load(dyAt + i), f32x4.gt(v128.load(yAt + i), zero)))
    }
  }
  for (const end = bytes(n); i < end; i += 4) {
    store<f32>(dxAt + i, load<f32>(yAt + i) > 0 ? load<f32>(dyAt + i) : 0)
  }
}

/** y = tanh x. */
export function tanh__f32(xAt: usize, yAt: usize, n: i32): void {
  let i = bytes(firstOf(n, LINE))
  n = endOf(n, LINE)
  if (ASC_FEATURE_SIMD) {
    for (const whole = bytes(n & ~3); i < whole; i += 16) v128.store(yAt + i, tanh4(v128.load(xAt + i)))
  }
  for (const end = bytes(n); i < end; i += 4) store<f32>(yAt + i, tanh(load<f32>(xAt + i)))
}

/** dx = dy * (1 - y^2). */
export function tanh_grad__f32(dyAt: usize, yAt: usize, dxAt: usize, n: i32): void {
  let i = bytes(firstOf(n, LINE))
  n = endOf(n, LINE)
  if (ASC_FEATURE_SIMD) {
    const one = f32x4.splat(1)
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      const y = v128.load(yAt + i)
      v128.store(dxAt + i, f32x4.mul(v128.load(dyAt + i), f32x4.sub(one, f32x4.mul(y, y))))
    }
  }
  for (const end = bytes(n); i < end; i += 4) {
    const y = load<f32>(yAt + i)
    store<f32>(dxAt + i, load<f32>(dyAt + i) * (1 - y * y))
  }
}

/** y[first .. first+n-1] = value. */
export function fill__f32(yAt: usize, first: i32, value: f32, n: i32): void {
  const end = yAt + bytes(first + n)
  for (let at = yAt + bytes(first); at < end; at += 4) store<f32>(at, value)
}

/** y = s * x. */
export function scale__f32(xAt: usize, yAt: usize, n: i32, s: f32): void {
  scaleRow(s, xAt, yAt, n)
}

/** y += s * x. */
export function add_scaled__f32(xAt: usize, yAt: usize, n: i32, s: f32): void {
  axpy(s, xAt, yAt, n)
}

/** y = x + alpha[0] * c. */
export function add_gated__f32(xAt: usize, cAt: usize, alphaAt: usize, yAt: usize, n: i32): void {
  memory.copy(yAt, xAt, bytes(n))
  axpy(load<f32>(alphaAt), cAt, yAt, n)
}

/** y = alpha[0] * x. */
export function scale_by__f32(xAt: usize, alphaAt: usize, yAt: usize, n: i32): void {
  scaleRow(load<f32>(alphaAt), xAt, yAt, n)
}

/** y[1] = sum(a * b): f32 within blocks of 256, f64 over blocks. */
export function dot__f32(aAt: usize, bAt: usize, yAt: usize, n: i32): void {
  let sum: f64 = 0
  for (let i = 0; i < n; i += 256) sum += <f64>dot(aAt + bytes(i), bAt + bytes(i), min(256, n - i))
  store<f32>(yAt, <f32>sum)
}

/** y[M,C] = x * gain[C]. */
export function mul_channels__f32(xAt: usize, gainAt: usize, yAt: usize, M: i32, C: i32): void {
  const end = bytes(C)
  const first = firstOf(M)
  xAt += <usize>first * end
  yAt += <usize>first * end
  for (let m = first, past = endOf(M); m < past; m++) {
    mulRow(xAt, gainAt, yAt, C)
    xAt += end
    yAt += end
  }
}

/** dgain[C] = sum over m of dy[M,C] * x[M,C]; dx is mul_channels of dy. */
export function mul_channels_grad__f32(dyAt: usize, xAt: usize, dgainAt: usize, M: i32, C: i32): void {
  const end = bytes(C)
  memory.fill(dgainAt, 0, end)
  for (let m = 0; m < M; m++) {
    let i: usize = 0
    if (ASC_FEATURE_SIMD) {
      for (const whole = bytes(C & ~3); i < whole; i += 16) {
        const product = f32x4.mul(v128.load(dyAt + i), v128.load(xAt + i))
        v128.store(dgainAt + i, f32x4.add(v128.load(dgainAt + i), product))
      }
    }
    for (; i < end; i += 4) {
      store<f32>(dgainAt + i, load<f32>(dgainAt + i) + load<f32>(dyAt + i) * load<f32>(xAt + i))
    }
    dyAt += end
    xAt += end
  }
}

/** y[B,R,C] = x[B,R,C] + the first R rows of the table. */
export function add_rows__f32(xAt: usize, tableAt: usize, yAt: usize, B: i32, R: i32, C: i32): void {
  const n = R * C
  for (let b = 0; b < B; b++) {
    sumRow(xAt, tableAt, yAt, n)
    xAt += bytes(n)
    yAt += bytes(n)
  }
}

/** dtable[S,C]: the sum over b of dy[B,R,C] in the first R rows, zero in the others. */
export function add_rows_grad__f32(dyAt: usize, dtableAt: usize, B: i32, R: i32, S: i32, C: i32): void {
  const n = R * C
  memory.fill(dtableAt, 0, bytes(S * C))
  for (let b = 0; b < B; b++) {
    addRow(dyAt, dtableAt, n)
    dyAt += bytes(n)
  }
}

function sumRow(a: usize, b: usize, y: usize, n: i32): void {
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      v128.store(y + i, f32x4.add(v128.load(a + i), v128.load(b + i)))
    }
  }
  for (const end = bytes(n); i < end; i += 4) store<f32>(y + i, load<f32>(a + i) + load<f32>(b + i))
}

function mulRow(a: usize, b: usize, y: usize, n: i32): void {
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      v128.store(y + i, f32x4.mul(v128.load(a + i), v128.load(b + i)))
    }
  }
  for (const end = bytes(n); i < end; i += 4) store<f32>(y + i, load<f32>(a + i) * load<f32>(b + i))
}
