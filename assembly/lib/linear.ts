/**
 * Linear algebra in f64 on row-major matrices: products, transposition, Cholesky and its solves (the same as
 * src/base/linear.ts). Every element is one sum in order and vectors hold elements side by side, so all instruction
 * sets give the same bits. Matrices without strides have their rows next to each other.
 */

/** Bytes of n f64. */
export function doubles(n: i32): usize {
  return (<usize>n) << 3
}

/** y[n] f64 = x[n] f32. */
export function widen(x: usize, y: usize, n: i32): void {
  for (let i = 0; i < n; i++) store<f64>(y + doubles(i), <f64>load<f32>(x + ((<usize>i) << 2)))
}

/** y[n] f32 = x[n] f64. */
export function narrow(x: usize, y: usize, n: i32): void {
  for (let i = 0; i < n; i++) store<f32>(y + ((<usize>i) << 2), <f32>load<f64>(x + doubles(i)))
}

/** y[n] += scale * x[n]. */
export function addScaled(scale: f64, x: usize, y: usize, n: i32): void {
  for (let i = 0; i < n; i++) store<f64>(y + doubles(i), load<f64>(y + doubles(i)) + scale * load<f64>(x + doubles(i)))
}

/** y[columns,rows] = x[rows,columns]^T. */
export function transpose(x: usize, y: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) store<f64>(y + doubles(j * rows + i), load<f64>(x + doubles(i * columns + j)))
  }
}

/** A[n,n] += value * I. */
export function addDiagonal(A: usize, n: i32, value: f64): void {
  for (let i = 0; i < n; i++) {
    const at = A + doubles(i * (n + 1))
    store<f64>(at, load<f64>(at) + value)
  }
}

export function trace(A: usize, n: i32): f64 {
  let sum: f64 = 0
  for (let i = 0; i < n; i++) sum += load<f64>(A + doubles(i * (n + 1)))
  return sum
}

/**
 * y[rows,columns] += scale * a[rows,depth] . b[depth,columns]; a steps by `aRow` bytes a row and `aDepth` bytes a depth.
 * y must not overlap a or b.
 */
export function addProduct(
  scale: f64,
  a: usize,
  aRow: usize,
  aDepth: usize,
  b: usize,
  y: usize,
  rows: i32,
  depth: i32,
  columns: i32,
): void {
  const bRow = doubles(columns)
  for (let i = 0; i < rows; i++) {
    let j = 0
    if (ASC_FEATURE_SIMD) {
      for (; j + 8 <= columns; j += 8) tile8(scale, a, aDepth, b + doubles(j), bRow, y + doubles(j), depth)
    } else {
      for (; j + 4 <= columns; j += 4) tile4(scale, a, aDepth, b + doubles(j), bRow, y + doubles(j), depth)
    }
    for (; j < columns; j++) tile1(scale, a, aDepth, b + doubles(j), bRow, y + doubles(j), depth)
    a += aRow
    y += bRow
  }
}

function tile8(scale: f64, a: usize, aDepth: usize, b: usize, bRow: usize, y: usize, depth: i32): void {
  const factor = f64x2.splat(scale)
  let y0 = v128.load(y)
  let y1 = v128.load(y, 16)
  let y2 = v128.load(y, 32)
  let y3 = v128.load(y, 48)
  for (let d = 0; d < depth; d++) {
    const f = f64x2.mul(factor, v128.load64_splat(a))
    y0 = f64x2.add(y0, f64x2.mul(f, v128.load(b)))
    y1 = f64x2.add(y1, f64x2.mul(f, v128.load(b, 16)))
    y2 = f64x2.add(y2, f64x2.mul(f, v128.load(b, 32)))
    y3 = f64x2.add(y3, f64x2.mul(f, v128.load(b, 48)))
    a += aDepth
    b += bRow
  }
  v128.store(y, y0)
  v128.store(y, y1, 16)
  v128.store(y, y2, 32)
  v128.store(y, y3, 48)
}

function tile4(scale: f64, a: usize, aDepth: usize, b: usize, bRow: usize, y: usize, depth: i32): void {
  let y0 = load<f64>(y)
  let y1 = load<f64>(y, 8)
  let y2 = load<f64>(y, 16)
  let y3 = load<f64>(y, 24)
  for (let d = 0; d < depth; d++) {
    const f = scale * load<f64>(a)
    y0 += f * load<f64>(b)
    y1 += f * load<f64>(b, 8)
    y2 += f * load<f64>(b, 16)
    y3 += f * load<f64>(b, 24)
    a += aDepth
    b += bRow
  }
  store<f64>(y, y0)
  store<f64>(y, y1, 8)
  store<f64>(y, y2, 16)
  store<f64>(y, y3, 24)
}

function tile1(scale: f64, a: usize, aDepth: usize, b: usize, bRow: usize, y: usize, depth: i32): void {
  let sum = load<f64>(y)
  for (let d = 0; d < depth; d++) {
    sum += scale * load<f64>(a) * load<f64>(b)
    a += aDepth
    b += bRow
  }
  store<f64>(y, sum)
}

/** y[rows,columns] = a[rows,depth] . b[depth,columns]. */
export function product(a: usize, b: usize, y: usize, rows: i32, depth: i32, columns: i32): void {
  memory.fill(y, 0, doubles(rows * columns))
  addProduct(1, a, doubles(depth), 8, b, y, rows, depth, columns)
}

/** In place: the lower part of positive definite A[n,n] becomes L, A = L . L^T; NaN where A is not. */
export function cholesky(A: usize, n: i32): void {
  const row = doubles(n)
  for (let i = 0; i < n; i++) {
    const Ai = A + <usize>i * row
    for (let j = 0; j <= i; j++) {
      const Aj = A + <usize>j * row
      let sum = load<f64>(Ai + doubles(j))
      for (let k = 0; k < j; k++) sum -= load<f64>(Ai + doubles(k)) * load<f64>(Aj + doubles(k))
      store<f64>(Ai + doubles(j), j < i ? sum / load<f64>(Aj + doubles(j)) : sqrt(sum))
    }
  }
}

/** In place: X[n,columns] = (L . L^T)^-1 . X, where the upper part of L is not looked at. */
export function solve(L: usize, X: usize, n: i32, columns: i32): void {
  const row = doubles(n)
  const xRow = doubles(columns)
  for (let i = 0; i < n; i++) {
    const Xi = X + <usize>i * xRow
    addProduct(-1, L + <usize>i * row, row, 8, X, Xi, 1, i, columns)
    divide(Xi, load<f64>(L + <usize>i * (row + 8)), columns)
  }
  for (let i = n - 1; i >= 0; i--) {
    const Xi = X + <usize>i * xRow
    // Below the diagonal, column i of L is row i of L^T.
    const below = L + <usize>i * (row + 8) + row
    addProduct(-1, below, row, row, Xi + xRow, Xi, 1, n - 1 - i, columns)
    divide(Xi, load<f64>(L + <usize>i * (row + 8)), columns)
  }
}

function divide(x: usize, by: f64, n: i32): void {
  const inverse = 1 / by
  for (let i = 0; i < n; i++) store<f64>(x + doubles(i), load<f64>(x + doubles(i)) * inverse)
}
