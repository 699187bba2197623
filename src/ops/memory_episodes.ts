/**
 * Episodic memory in training (model.md sections 6, 8, 9; Larimar, arXiv 2403.11901): codes are written to a fresh
 * posterior in episodes and read from it. One op, since everything between its ends is float64; the reverse pass is
 * derived by hand, one line a formula. Letters: B codes, K slots, C channels, E codes of an episode, n of this one.
 */
import type { Builder } from '../graph/builder.ts'
import type { Lowering, Op, Value } from '../graph/graph.ts'
import { requireThat } from '../base/errors.ts'
import { cholesky, identity, plus, product, solve, trace, transpose } from '../base/linear.ts'
import { addresses, klMemory, NOISE, RIDGE, ridgedFactor } from '../base/posterior.ts'
import { fixed, times } from '../base/shape.ts'
import { given, like } from './shared.ts'

/** A slot counts as used where its written energy exceeds this share of the mean of its episode. */
const USED = 0.01

/**
 * Each episode, Z its codes, ridge(A) = A + RIDGE * tr(A) / K * I:
 *   W = Z M0^T ridge(M0 M0^T)^-1, Cm = NOISE * I + W^T W, Hm = NOISE * M0 + W^T Z, M = Cm^-1 Hm
 *   R = Z M^T ridge(M M^T)^-1, read = R M, KL_w = 0.5 |R_i|^2, KL_M as klMemory in base/posterior.ts
 * in   z [B,C] f32, prior M0 [K,C] f32, not zero
 * out  read [B,C] f32, kl [1] f32 = mean(KL_w) / K + mean(KL_M) / (K C), over codes and over episodes,
 *      klAddress [B] f32, klMemory [B] f32 (KL_M of the episode of the code),
 *      utilization [1] f32: share of slots, over episodes, with Cm_kk - NOISE above 1 % of its mean over the episode
 * grad of read and kl, by the chain of these formulas: X = A^-1 B has dB = A^-1 dX, dA = -dB X^T; d ln|A| = A^-1
 */
export const memoryEpisodesOp: Op = {
  name: 'memory_episodes',
  infer(inputs, { episode }) {
    const where = 'memory_episodes'
    const [z, prior] = [given(inputs, 0, where), given(inputs, 1, where)]
    requireThat(z.shape.length === 2, where, 'z must have shape [B, C]', z.shape)
    const C = z.shape[1]
    requireThat(prior.shape.length === 2 && prior.shape[1] === C, where, `prior must have shape [K, ${C}]`, prior.shape)
    requireThat(
      Number.isSafeInteger(episode) && Number(episode) >= 1,
      where,
      'episode must be a whole number from 1',
      episode,
    )
    const perCode = { shape: [z.shape[0]], dtype: 'f32' } as const
    const one = { shape: [1], dtype: 'f32' } as const
    return [like(z), one, perCode, perCode, one]
  },
  reference([z, prior], [read, kl, klAddress, klMemories, utilization], { episode }) {
    const [K, C] = prior!.shape
    const episodes = episodesOf(z!.data, prior!.data, K, C, Number(episode))
    const B = z!.shape[0]
    for (const { at, n, M, Cm, factor, R } of episodes) {
      read.data.set(product(transpose(R, K, n), M, n, K, C), at * C)
      for (let i = 0; i < n; i++) {
        for (let k = 0; k < K; k++) klAddress.data[at + i] += 0.5 * R[k * n + i] ** 2
        kl.data[0] += klAddress.data[at + i] / (B * K)
      }
      const klOfEpisode = klMemory(M, prior!.data, factor, K, C)
      klMemories.data.fill(klOfEpisode, at, at + n)
      kl.data[0] += klOfEpisode / (episodes.length * K * C)
      const written = Array.from({ length: K }, (_, k) => Cm[k * (K + 1)] - NOISE)
      const bound = (USED * written.reduce((sum, w) => sum + w, 0)) / K
      utilization.data[0] += written.filter((w) => w > bound).length / (K * episodes.length)
    }
  },
  grad(b, { inputs, attributes }, [dread, dkl, ...others]) {
    const none = others.every((gradient) => gradient === undefined)
    requireThat(none, 'memory_episodes', 'only read and kl must take a gradient')
    return b.apply(memoryEpisodesGradOp, [dread, dkl, ...inputs], attributes)
  },
  lower({ inputs: [z, prior], outputs, attributes: { episode } }, to) {
    const operands = [z, prior, ...outputs].map((value) => to.at(value))
    to.call('memory_episodes__f32', ...operands, ...sizes(z!, prior!, Number(episode), false, to))
  },
  macs({ inputs: [z, prior], attributes: { episode } }) {
    const [K, C] = prior!.shape.map(fixed)
    // A code: four products with slots, two solves and its part of Cm; an episode: the solve for M and its Gram matrix.
    return times(z!.shape[0], 4 * K * C + 3 * K * K + Math.ceil((2 * K * K * C) / Number(episode)))
  },
  cases: [
    [1, 1, 3, 1],
    [3, 2, 5, 2],
    [7, 5, 9, 16],
    [10, 8, 64, 4],
    [5, 7, 3, 5],
    [33, 32, 128, 16],
  ].map(([B, K, C, episode]) => ({
    name: `b${B}_k${K}_c${C}_e${episode}`,
    inputs: [{ shape: [B, C] }, { shape: [K, C] }],
    attributes: { episode },
  })),
}

/** dz, dprior for gradients of read and of kl, either of which may be absent; repeats the forward pass. */
const memoryEpisodesGradOp: Op = {
  name: 'memory_episodes_grad',
  infer: ([, , z, prior]) => [like(z!), like(prior!)],
  reference([dread, dkl, z, prior], [dz, dprior], { episode }) {
    const [K, C] = prior!.shape
    const M0 = prior!.data
    const factor0 = ridgedFactor(M0, K, C)
    const episodes = episodesOf(z!.data, M0, K, C, Number(episode))
    const dklAddress = dkl ? dkl.data[0] / (z!.shape[0] * K) : 0
    const dklMemory = dkl ? dkl.data[0] / (episodes.length * K * C) : 0
    let dG0: Float64Array = new Float64Array(K * K)
    let dM0: Float64Array = new Float64Array(K * C)
    for (const { at, n, Z, W, factor, M, ridged, R } of episodes) {
      const dRead = dread ? dread.data.slice(at * C, (at + n) * C) : new Float64Array(n * C)
      // read = R M, KL_w
      const dR = plus(product(M, transpose(dRead, n, C), K, C, n), R, dklAddress)
      let dM: Float64Array = product(R, dRead, K, n, C)
      // R^T = G^-1 M Z^T
      const dY = solve(ridged, dR, K)
      dM = plus(dM, product(dY, Z, K, n, C))
      let dZ: Float64Array = product(transpose(dY, K, n), M, n, K, C)
      // G = ridge(M M^T)
      const dG = product(dY, transpose(R, K, n), K, n, K).map((d) => -d)
      dM = plus(dM, product(backRidge(dG, K), M, K, K, C))
      // KL_M
      const shift = plus(M, M0, -1)
      dM = plus(dM, shift, dklMemory)
      dM0 = plus(dM0, shift, -dklMemory)
      const V = solve(factor, identity(K), K)
      let dCm: Float64Array = plus(V, product(V, V, K, K, K), -NOISE).map((d) => 0.5 * C * dklMemory * d)
      // M = Cm^-1 Hm
      const dHm = solve(factor, dM, K)
      dCm = plus(dCm, product(dHm, transpose(M, K, C), K, C, K), -1)
      // Cm = NOISE * I + W^T W, Hm = NOISE * M0 + W^T Z
      const dW = plus(product(symmetric(dCm, K), W, K, K, n), product(dHm, transpose(Z, n, C), K, C, n))
      dZ = plus(dZ, product(transpose(W, K, n), dHm, n, K, C))
      dM0 = plus(dM0, dHm, NOISE)
      // W^T = G0^-1 M0 Z^T
      const dY0 = solve(factor0, dW, K)
      dG0 = plus(dG0, product(dY0, transpose(W, K, n), K, n, K), -1)
      dM0 = plus(dM0, product(dY0, Z, K, n, C))
      dz.data.set(plus(dZ, product(transpose(dY0, K, n), M0, n, K, C)), at * C)
    }
    // G0 = ridge(M0 M0^T)
    dprior.data.set(plus(dM0, product(backRidge(dG0, K), M0, K, K, C)))
  },
  lower({ inputs: [dread, dkl, z, prior], outputs: [dz, dprior], attributes: { episode } }, to) {
    const operands = [dread, dkl, z, prior, dz, dprior].map((value) => to.at(value))
    to.call('memory_episodes_grad__f32', ...operands, ...sizes(z!, prior!, Number(episode), true, to))
  },
  cases: [],
}

/** An episode of codes Z[n,C] from row `at` on; W and R have one address a column [K,n]. */
interface Episode {
  at: number
  n: number
  Z: Float64Array
  W: Float64Array
  Cm: Float64Array
  /** Cholesky factor of Cm. */
  factor: Float64Array
  M: Float64Array
  /** Cholesky factor of ridge(M M^T). */
  ridged: Float64Array
  R: Float64Array
}

function episodesOf(z: Float64Array, M0: Float64Array, K: number, C: number, E: number): Episode[] {
  const factor0 = ridgedFactor(M0, K, C)
  const B = z.length / C
  return Array.from({ length: Math.ceil(B / E) }, (_, e) => {
    const at = e * E
    const n = Math.min(E, B - at)
    const Z = z.slice(at * C, (at + n) * C)
    const W = addresses(factor0, M0, Z, K, C)
    const Cm = plus(identity(K, NOISE), product(W, transpose(W, K, n), K, n, K))
    const Hm = plus(product(W, Z, K, n, C), M0, NOISE)
    const factor = cholesky(Cm, K)
    const M = solve(factor, Hm, K)
    const ridged = ridgedFactor(M, K, C)
    return { at, n, Z, W, Cm, factor, M, ridged, R: addresses(ridged, M, Z, K, C) }
  })
}

/** S + S^T. */
function symmetric(S: Float64Array, K: number): Float64Array {
  return plus(S, transpose(S, K, K))
}

/** What the gradient of ridge(A A^T) is multiplied with A by, to give that of A. */
function backRidge(dG: Float64Array, K: number): Float64Array {
  return symmetric(plus(dG, identity(K, (RIDGE * trace(dG, K)) / K)), K)
}

/** Scratch and sizes of the kernels. Matrices as layOut in assembly/kernels/memory.ts has them, in doubles. */
function sizes(z: Value, prior: Value, E: number, gradient: boolean, to: Lowering) {
  const [K, C] = prior.shape.map(fixed)
  const forward = 3 * K * C + 2 * E * C + 3 * E * K + 4 * K * K
  const doubles = gradient ? forward + 2 * K * C + 3 * E * C + 3 * E * K + 4 * K * K : forward
  return [to.scratch(8 * doubles), z.shape[0], K, C, E]
}

/**
 * Writes codes z [B,C] in consecutive episodes of `episode` (the last may be shorter), each to a fresh posterior of the
 * prior [K,C], and reads them again. The gradient flows through `read` and `kl`; the others are metrics.
 */
export function memoryEpisodes(b: Builder, z: Value, prior: Value, episode: number) {
  const [read, kl, klAddress, klMemory, utilization] = b.apply(memoryEpisodesOp, [z, prior], { episode })
  return { read, kl, klAddress, klMemory, utilization }
}
