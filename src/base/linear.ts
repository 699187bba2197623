/**
 * Dense float64 linear algebra on row-major matrices: products and solves with a positive definite matrix by its
 * Cholesky factor (Golub & Van Loan, Matrix Computations, 4.2). What the episodic memory needs, on the device and as
 * the judge of its kernels, and the cosines of features; sizes are small, sums run in order.
 */
import { requireThat } from './errors.ts'

/** Sum over n of a[aAt + i] * b[bAt + i], in order and in float64: the cosine of unit rows of features. */
export function dot(a: ArrayLike<number>, aAt: number, b: ArrayLike<number>, bAt: number, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) sum += a[aAt + i] * b[bAt + i]
  return sum
}

/** y[rows,columns] = a[rows,depth] . b[depth,columns]. */
export function product(a: Float64Array, b: Float64Array, rows: number, depth: number, columns: number): Float64Array {
  const y = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < depth; k++) {
      for (let j = 0; j < columns; j++) y[i * columns + j] += a[i * depth + k] * b[k * columns + j]
    }
  }
  return y
}

/** y[columns,rows] = a[rows,columns]^T. */
export function transpose(a: Float64Array, rows: number, columns: number): Float64Array {
  return a.map((_, i) => a[(i % rows) * columns + Math.floor(i / rows)])
}

/** L[n,n], lower, with A = L . L^T; reads the lower part of A alone. Throws a RangeError unless A is positive definite. */
export function cholesky(A: Float64Array, n: number): Float64Array {
  const L = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = A[i * n + j]
      for (let k = 0; k < j; k++) sum -= L[i * n + k] * L[j * n + k]
      requireThat(j < i || sum > 0, 'cholesky', 'the matrix must be positive definite', sum)
      L[i * n + j] = j < i ? sum / L[j * n + j] : Math.sqrt(sum)
    }
  }
  return L
}

/** X = (L . L^T)^-1 . B for B of n rows. */
export function solve(L: Float64Array, B: Float64Array, n: number): Float64Array {
  const X = B.slice()
  const columns = B.length / n
  /** Row i loses `factor` times row k. */
  const subtract = (i: number, k: number, factor: number) => {
    for (let j = 0; j < columns; j++) X[i * columns + j] -= factor * X[k * columns + j]
  }
  const divide = (i: number) => {
    for (let j = 0; j < columns; j++) X[i * columns + j] /= L[i * n + i]
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) subtract(i, k, L[i * n + k])
    divide(i)
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) subtract(i, k, L[k * n + i])
    divide(i)
  }
  return X
}

export function identity(n: number, scale = 1): Float64Array {
  return new Float64Array(n * n).map((_, i) => (i % (n + 1) === 0 ? scale : 0))
}

export function trace(A: Float64Array, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) sum += A[i * (n + 1)]
  return sum
}

/** A + factor * B. */
export function plus(A: Float64Array, B: Float64Array, factor = 1): Float64Array {
  return A.map((a, i) => a + factor * B[i])
}
