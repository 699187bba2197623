/**
 * Tensors as rows: transposition, rows put together and cut out, added and scaled by sample, sums and means over rows.
 * Sums add rows in order, so every instruction set gives the same bits. Bound by memory traffic; the transposition goes
 * by 4x4 blocks in registers.
 */
import { addRow, bytes, copyRow, scaleRow } from '../lib/lanes'
import { endOf, firstOf } from '../lib/threads'

/** y[N,B,A] = x[N,A,B] with the last two axes swapped. */
export function swap_axes__f32(xAt: usize, yAt: usize, N: i32, A: i32, B: i32): void {
  const first = firstOf(N)
  xAt += bytes(first * A * B)
  yAt += bytes(first * A * B)
  for (let n = first, end = endOf(N); n < end; n++) {
    transpose(xAt, yAt, A, B)
    xAt += bytes(A * B)
    yAt += bytes(A * B)
  }
}

function transpose(xAt: usize, yAt: usize, A: i32, B: i32): void {
  // Whole 4x4 blocks first, then the rows below and the columns to the right of them.
  const wholeA = ASC_FEATURE_SIMD ? A & ~3 : 0
  const wholeB = ASC_FEATURE_SIMD ? B & ~3 : 0
  if (ASC_FEATURE_SIMD) {
    const down = bytes(B)
    const right = bytes(A)
    for (let a = 0; a < wholeA; a += 4) {
      for (let b = 0; b < wholeB; b += 4) {
        const from = xAt + bytes(a * B + b)
        const r0 = v128.load(from)
        const r1 = v128.load(from + down)
        const r2 = v128.load(from + 2 * down)
        const r3 = v128.load(from + 3 * down)
        const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
        const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
        const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
        const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
        const to = yAt + bytes(b * A + a)
        v128.store(to, v128.shuffle<f64>(low01, low23, 0, 2))
        v128.store(to + right, v128.shuffle<f64>(low01, low23, 1, 3))
        v128.store(to + 2 * right, v128.shuffle<f64>(high01, high23, 0, 2))
        v128.store(to + 3 * right, v128.shuffle<f64>(high01, high23, 1, 3))
      }
    }
  }
  for (let a = 0; a < A; a++) {
    for (let b = a < wholeA ? wholeB : 0; b < B; b++) {
      store<f32>(yAt + bytes(b * A + a), load<f32>(xAt + bytes(a * B + b)))
    }
  }
}

/** y[B,1+P,C]: the row cls[C] in front of x[B,P,C]. */
export function concat_first__f32(clsAt: usize, xAt: usize, yAt: usize, B: i32, P: i32, C: i32): void {
  const row = bytes(C)
  const rest = bytes(P * C)
  for (let b = 0; b < B; b++) {
    memory.copy(yAt, clsAt, row)
    memory.copy(yAt + row, xAt, rest)
    xAt += rest
    yAt += row + rest
  }
}

/** y[C] = sum over b of x[b,0,:], x[B,T,C]: the gradient of the row that concat_first puts on. */
export function sum_first__f32(xAt: usize, yAt: usize, B: i32, T: i32, C: i32): void {
  memory.fill(yAt, 0, bytes(C))
  for (let b = 0; b < B; b++) addRow(xAt + bytes(b * T * C), yAt, C)
}

/** y[B,C]: the mean of the first lengths[b] rows (1..T) of x[B,T,C], of all where there are no lengths. */
export function mean_rows__f32(xAt: usize, lengthsAt: usize, yAt: usize, B: i32, T: i32, C: i32): void {
  const row = bytes(C)
  for (let b = 0; b < B; b++) {
    const length = lengthsAt ? load<i32>(lengthsAt + bytes(b)) : T
    memory.fill(yAt, 0, row)
    for (let t = 0; t < length; t++) addRow(xAt + bytes(t * C), yAt, C)
    scaleRow(<f32>1 / <f32>length, yAt, yAt, C)
    xAt += bytes(T * C)
    yAt += row
  }
}

/** dx[B,T,C]: dy[B,C] / lengths[b] in the first lengths[b] rows, zero in the others. */
export function mean_rows_grad__f32(dyAt: usize, lengthsAt: usize, dxAt: usize, B: i32, T: i32, C: i32): void {
  const row = bytes(C)
  for (let b = 0; b < B; b++) {
    const length = lengthsAt ? load<i32>(lengthsAt + bytes(b)) : T
    for (let t = 0; t < length; t++) scaleRow(<f32>1 / <f32>length, dyAt, dxAt + bytes(t * C), C)
    memory.fill(dxAt + bytes(length * C), 0, bytes((T - length) * C))
    dyAt += row
    dxAt += bytes(T * C)
  }
}

/** y[B,16*C]: the G x G tokens of x[B,1+G*G,C] behind the first, averaged in 4x4 cells, row by row. 4 divides G. */
export function grid_pool__f32(xAt: usize, yAt: usize, B: i32, G: i32, C: i32): void {
  const row = bytes(C)
  const cell = G >> 2
  const share: f32 = <f32>1 / <f32>(cell * cell)
  for (let b = 0; b < B; b++) {
    memory.fill(yAt, 0, bytes(16 * C))
    xAt += row
    for (let i = 0; i < G; i++) {
      for (let j = 0; j < G; j++) {
        addRow(xAt, yAt + bytes(((i / cell) * 4 + j / cell) * C), C)
        xAt += row
      }
    }
    scaleRow(share, yAt, yAt, 16 * C)
    yAt += bytes(16 * C)
  }
}

/** dx[B,1+G*G,C]: every token its share of dy[B,16*C] of its cell, zero for the first token. */
export function grid_pool_grad__f32(dyAt: usize, dxAt: usize, B: i32, G: i32, C: i32): void {
  const row = bytes(C)
  const cell = G >> 2
  const share: f32 = <f32>1 / <f32>(cell * cell)
  for (let b = 0; b < B; b++) {
    memory.fill(dxAt, 0, row)
    dxAt += row
    for (let i = 0; i < G; i++) {
      for (let j = 0; j < G; j++) {
        scaleRow(share, dyAt + bytes(((i / cell) * 4 + j / cell) * C), dxAt, C)
        dxAt += row
      }
    }
    dyAt += bytes(16 * C)
  }
}

/** y[A,n+m]: m elements of each sample of y[A,m] behind n of x[A,n]; any type of four bytes. */
export function concat__f32(xAt: usize, yAt: usize, outAt: usize, A: i32, n: i32, m: i32): void {
  for (let a = 0; a < A; a++) {
    memory.copy(outAt, xAt, bytes(n))
    memory.copy(outAt + bytes(n), yAt, bytes(m))
    xAt += bytes(n)
    yAt += bytes(m)
    outAt += bytes(n + m)
  }
}

/** y[A,count]: the elements from `first` on of each sample of x[A,n]; any type of four bytes. */
export function slice__f32(xAt: usize, yAt: usize, A: i32, n: i32, first: i32, count: i32): void {
  for (let a = 0; a < A; a++) memory.copy(yAt + bytes(a * count), xAt + bytes(a * n + first), bytes(count))
}

/** dx[A,n]: dy[A,count] from `first` on, zero before and behind. */
export function slice_grad__f32(dyAt: usize, dxAt: usize, A: i32, n: i32, first: i32, count: i32): void {
  memory.fill(dxAt, 0, bytes(A * n))
  for (let a = 0; a < A; a++) memory.copy(dxAt + bytes(a * n + first), dyAt + bytes(a * count), bytes(count))
}

/** y[B,T,C] = x[B,T,C] + s[B,C] in every row of a sample. */
export function add_samples__f32(xAt: usize, sAt: usize, yAt: usize, B: i32, T: i32, C: i32): void {
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      copyRow(xAt, yAt, C)
      addRow(sAt, yAt, C)
      xAt += bytes(C)
      yAt += bytes(C)
    }
    sAt += bytes(C)
  }
}

/** y[B,C]: the sum of the rows of each sample of x[B,T,C]. */
export function sum_rows__f32(xAt: usize, yAt: usize, B: i32, T: i32, C: i32): void {
  memory.fill(yAt, 0, bytes(B * C))
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      addRow(xAt, yAt, C)
      xAt += bytes(C)
    }
    yAt += bytes(C)
  }
}

/** y[B,C] = s[b] * x[b]. */
export function scale_rows__f32(xAt: usize, sAt: usize, yAt: usize, B: i32, C: i32): void {
  for (let b = 0; b < B; b++) {
    scaleRow(load<f32>(sAt + bytes(b)), xAt + bytes(b * C), yAt + bytes(b * C), C)
  }
}
