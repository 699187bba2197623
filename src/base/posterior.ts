/**
 * The episodic memory as a linear Gaussian model in natural parameters (model.md section 6; Larimar, arXiv 2403.11901),
 * in float64. State Cm[K,K], Hm[K,C]; writing z at address w adds w^T w and w^T z; the mean is M = Cm^-1 . Hm, the
 * covariance of its rows U = NOISE * Cm^-1. Letters: K slots, C channels, n codes.
 */
import { cholesky, identity, plus, product, solve, trace, transpose } from './linear.ts'
import { log } from './math.ts'

/** Variance of observation. */
export const NOISE = 1e-2
/** Of the mean of the diagonal, added to it before a solve. */
export const RIDGE = 1e-4

/** Cholesky factor [K,K] of M . M^T + RIDGE * tr(M . M^T) / K * I. */
export function ridgedFactor(M: Float64Array, K: number, C: number): Float64Array {
  const gram = product(M, transpose(M, K, C), K, C, K)
  return cholesky(plus(gram, identity(K, (RIDGE * trace(gram, K)) / K)), K)
}

/** Addresses of codes z[n,C] in M, one a column [K,n]: least squares by the ridged factor of M. */
export function addresses(factor: Float64Array, M: Float64Array, z: Float64Array, K: number, C: number): Float64Array {
  const n = z.length / C
  return solve(factor, product(M, transpose(z, n, C), K, C, n), K)
}

/** KL(posterior || prior) = 0.5 * [C tr(U) + |M - M0|^2 - K C - C ln|U|], by the Cholesky factor of Cm. */
export function klMemory(M: Float64Array, M0: Float64Array, factor: Float64Array, K: number, C: number): number {
  const traceU = NOISE * trace(solve(factor, identity(K), K), K)
  let logDetU = K * log(NOISE)
  for (let k = 0; k < K; k++) logDetU -= 2 * log(factor[k * (K + 1)])
  const distance = M.reduce((sum, m, i) => sum + (m - M0[i]) ** 2, 0)
  return 0.5 * (C * traceU + distance - K * C - C * logDetU)
}
