/**
 * The product that all contenders compute, y[M,N] = x[M,K] . w[N,K]^T with w = gamma * codes, and what a contender is.
 */
import { Stream, USE } from '../../src/base/rng.ts'
import type { Call } from './rounds.ts'

export type Sizes = readonly [M: number, K: number, N: number]

/** A power of two: every way to store weights has it exactly, half precision too. */
export const GAMMA = 2 ** -6

export interface Product {
  sizes: Sizes
  /** [M,K], normal. */
  x: Float32Array
  /** [N,K]: -1, 0, 1, each as often. */
  codes: Int8Array
}

export function makeProduct(sizes: Sizes): Product {
  const [M, K, N] = sizes
  const stream = new Stream(1, M, K, USE.init)
  return {
    sizes,
    x: Float32Array.from({ length: M * K }, () => stream.normal()),
    codes: Int8Array.from({ length: N * K }, () => stream.below(3) - 1),
  }
}

/** Matrix [N,K] as [K,N]. */
export function transpose<T extends Float32Array | Int8Array>(w: T, N: number, K: number): T {
  const turned = w.slice() as T
  for (let n = 0; n < N; n++) for (let k = 0; k < K; k++) turned[k * N + n] = w[n * K + k]
  return turned
}

/** One way to compute the product. */
export interface Contender {
  name: string
  /** Input handed over, product, output read: what a host waits for. Returns y [M,N], or a promise of it. */
  call: Call
  /** The product alone: own kernels can be called without a host around them. */
  alone?: Call
  /** The product alone on activations that are quantised already. */
  given?: Call
  /** A call of the same inputs and outputs that computes nothing; `call` less this stands for the product alone. */
  idle?: Call
  /** Largest difference from our y that rounding explains, over the root mean square of y. */
  tolerance: number
}

/** Rounding of activations to 8 bits, by us and by a peer each in its own way: the largest of thousands of normal errors. */
export const TOLERANCE = { f32: 0.06, int8: 0.1 }

/** Makes a contender for a product. Throws the reason where it does not serve it. */
export interface Engine {
  name: string
  /** Version and instruction set, for the head of the table. */
  about: string
  contenders(product: Product): Promise<Contender[]>
}

/** Largest |a - b| over the root mean square of b. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0
  let squares = 0
  for (let i = 0; i < b.length; i++) {
    most = Math.max(most, Math.abs(a[i] - b[i]))
    squares += b[i] * b[i]
  }
  return a.length === b.length ? most / Math.sqrt(squares / b.length) : Infinity
}
