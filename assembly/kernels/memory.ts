/**
 * Episodic memory in training (model.md section 6; Larimar, arXiv 2403.11901): the formulas stand in
 * src/ops/memory_episodes.ts. f32 in and out, f64 between: solves with a ridge of 1e-4 lose digits that f32 does not
 * have. Addresses in the prior share one factorisation over all episodes; the gradient repeats the forward pass.
 */
import { bytes } from '../lib/lanes'
import {
  addDiagonal,
  addProduct,
  addScaled,
  cholesky,
  doubles,
  narrow,
  product,
  solve,
  trace,
  transpose,
  widen,
} from '../lib/linear'
import { logDouble } from '../lib/math'

/** As in src/base/posterior.ts; the share of the mean energy that makes a slot used as in the op. */
const NOISE: f64 = 1e-2
const RIDGE: f64 = 1e-4
const USED: f64 = 0.01

// Places of the matrices in scratch, set at the start of each call. T: transposed; addresses have one code a column.
let M0: usize = 0 // [K,C] prior
let M: usize = 0 // [K,C] posterior mean
let T: usize = 0 // [C,K] transpose of M0, then of M
let Z: usize = 0 // [n,C]
let ZT: usize = 0 // [C,n]
let W: usize = 0 // [K,n] write addresses
let WT: usize = 0 // [n,K]
let R: usize = 0 // [K,n] read addresses
let L0: usize = 0 // [K,K] factor of ridge(M0 M0^T)
let LC: usize = 0 // [K,K] Cm, then its factor
let LG: usize = 0 // [K,K] factor of ridge(M M^T)
let V: usize = 0 // [K,K] Cm^-1
// Of the gradient alone.
let dM: usize = 0 // [K,C], then dHm
let dM0: usize = 0 // [K,C]
let D: usize = 0 // [n,C] dread
let DT: usize = 0 // [C,n]
let dZ: usize = 0 // [n,C]
let RT: usize = 0 // [n,K]
let dR: usize = 0 // [K,n], then dY
let dW: usize = 0 // [K,n], then dY0
let dG: usize = 0 // [K,K]
let dG0: usize = 0 // [K,K]
let dCm: usize = 0 // [K,K]
let S: usize = 0 // [K,K] symmetric

let next: usize = 0 // next place in scratch

function take(rows: i32, columns: i32): usize {
  const at = next
  next += doubles(rows * columns)
  return at
}

/** Sizes in all: see `sizes` in the op. */
function layOut(scratchAt: usize, K: i32, C: i32, E: i32): void {
  next = scratchAt
  M0 = take(K, C)
  M = take(K, C)
  T = take(C, K)
  Z = take(E, C)
  ZT = take(C, E)
  W = take(K, E)
  WT = take(E, K)
  R = take(K, E)
  L0 = take(K, K)
  LC = take(K, K)
  LG = take(K, K)
  V = take(K, K)
}

function layOutGradient(K: i32, C: i32, E: i32): void {
  dM = take(K, C)
  dM0 = take(K, C)
  D = take(E, C)
  DT = take(C, E)
  dZ = take(E, C)
  RT = take(E, K)
  dR = take(K, E)
  dW = take(K, E)
  dG = take(K, K)
  dG0 = take(K, K)
  dCm = take(K, K)
  S = take(K, K)
}

/** T = A^T, L = factor of A A^T + RIDGE * tr(A A^T) / K * I, for A[K,C]. */
function ridgedFactor(A: usize, L: usize, K: i32, C: i32): void {
  transpose(A, T, K, C)
  product(A, T, L, K, C, K)
  addDiagonal(L, K, (RIDGE * trace(L, K)) / <f64>K)
  cholesky(L, K)
}

function openPrior(priorAt: usize, K: i32, C: i32): void {
  widen(priorAt, M0, K * C)
  ridgedFactor(M0, L0, K, C)
}

/** Writes n codes to a fresh posterior: Z, ZT, W, WT and Cm in LC. */
function write(zAt: usize, n: i32, K: i32, C: i32): void {
  widen(zAt, Z, n * C)
  transpose(Z, ZT, n, C)
  product(M0, ZT, W, K, C, n)
  solve(L0, W, K, n)
  transpose(W, WT, K, n)
  product(W, WT, LC, K, n, K)
  addDiagonal(LC, K, NOISE)
}

/** Reads the codes: factor of Cm, M and its transpose in T, LG, R, V. */
function read(n: i32, K: i32, C: i32): void {
  cholesky(LC, K)
  product(W, Z, M, K, n, C)
  addScaled(NOISE, M0, M, K * C)
  solve(LC, M, K, C)
  ridgedFactor(M, LG, K, C)
  product(M, ZT, R, K, C, n)
  solve(LG, R, K, n)
  memory.fill(V, 0, doubles(K * K))
  addDiagonal(V, K, 1)
  solve(LC, V, K, K)
}

/** Slots of Cm with more than a share of the mean written energy. */
function usedSlots(K: i32): i32 {
  let total: f64 = 0
  for (let k = 0; k < K; k++) total += load<f64>(LC + doubles(k * (K + 1))) - NOISE
  const bound = (USED * total) / <f64>K
  let used = 0
  for (let k = 0; k < K; k++) used += i32(load<f64>(LC + doubles(k * (K + 1))) - NOISE > bound)
  return used
}

/** 0.5 * [C tr(U) + |M - M0|^2 - K C - C ln|U|], U = NOISE * Cm^-1. */
function klMemory(K: i32, C: i32): f64 {
  let distance: f64 = 0
  for (let i = 0; i < K * C; i++) {
    const d = load<f64>(M + doubles(i)) - load<f64>(M0 + doubles(i))
    distance += d * d
  }
  let logDetU = <f64>K * logDouble(NOISE)
  for (let k = 0; k < K; k++) logDetU -= 2 * logDouble(load<f64>(LC + doubles(k * (K + 1))))
  return 0.5 * (<f64>C * (NOISE * trace(V, K) - <f64>K - logDetU) + distance)
}

/** 0.5 * |address of code i|^2. */
function klAddress(i: i32, n: i32, K: i32): f64 {
  let sum: f64 = 0
  for (let k = 0; k < K; k++) {
    const r = load<f64>(R + doubles(k * n + i))
    sum += r * r
  }
  return 0.5 * sum
}

function episodes(B: i32, E: i32): i32 {
  return (B + E - 1) / E
}

/** read[B,C], kl[1], klAddress[B], klMemory[B], utilization[1] of z[B,C] and prior[K,C]. */
export function memory_episodes__f32(
  zAt: usize,
  priorAt: usize,
  readAt: usize,
  klAt: usize,
  klAddressAt: usize,
  klMemoryAt: usize,
  utilizationAt: usize,
  scratchAt: usize,
  B: i32,
  K: i32,
  C: i32,
  E: i32,
): void {
  layOut(scratchAt, K, C, E)
  openPrior(priorAt, K, C)
  let used = 0
  let addressTotal: f64 = 0
  let memoryTotal: f64 = 0
  for (let first = 0; first < B; first += E) {
    const n = min(E, B - first)
    write(zAt, n, K, C)
    used += usedSlots(K)
    read(n, K, C)
    // Z is not needed any more: it takes what is read, R^T . M.
    memory.fill(Z, 0, doubles(n * C))
    addProduct(1, R, 8, doubles(n), M, Z, n, K, C)
    narrow(Z, readAt, n * C)
    const kl = klMemory(K, C)
    memoryTotal += kl
    for (let i = 0; i < n; i++) {
      const one = klAddress(i, n, K)
      addressTotal += one
      store<f32>(klAddressAt + bytes(first + i), <f32>one)
      store<f32>(klMemoryAt + bytes(first + i), <f32>kl)
    }
    zAt += bytes(n * C)
    readAt += bytes(n * C)
  }
  const slots = <f64>(episodes(B, E) * K)
  store<f32>(klAt, <f32>(addressTotal / <f64>(B * K) + memoryTotal / (slots * <f64>C)))
  store<f32>(utilizationAt, <f32>(<f64>used / slots))
}

/** S = dA + dA^T, after dA += ridge * tr(dA) / K * I. */
function symmetrise(dA: usize, K: i32, ridge: f64): void {
  addDiagonal(dA, K, (ridge * trace(dA, K)) / <f64>K)
  transpose(dA, S, K, K)
  addScaled(1, dA, S, K * K)
}

/** From dread in D to dM and dZ: read = R^T M, R = ridge(M M^T)^-1 M Z^T, and KL_w. */
function backRead(dklAddress: f64, n: i32, K: i32, C: i32): void {
  transpose(D, DT, n, C)
  product(M, DT, dR, K, C, n)
  addScaled(dklAddress, R, dR, K * n)
  product(R, D, dM, K, n, C)
  solve(LG, dR, K, n)
  addProduct(1, dR, doubles(n), 8, Z, dM, K, n, C)
  memory.fill(dZ, 0, doubles(n * C))
  addProduct(1, dR, 8, doubles(n), M, dZ, n, K, C)
  transpose(R, RT, K, n)
  product(dR, RT, dG, K, n, K)
  symmetrise(dG, K, RIDGE)
  addProduct(-1, S, doubles(K), 8, M, dM, K, K, C)
}

/** From KL_M and dM, which becomes dHm, to dM0 and dCm: M = Cm^-1 Hm. */
function backMean(dklMemory: f64, K: i32, C: i32): void {
  addScaled(dklMemory, M, dM, K * C)
  addScaled(-dklMemory, M0, dM, K * C)
  addScaled(-dklMemory, M, dM0, K * C)
  addScaled(dklMemory, M0, dM0, K * C)
  const half = 0.5 * <f64>C * dklMemory
  memory.fill(dCm, 0, doubles(K * K))
  addScaled(half, V, dCm, K * K)
  addProduct(-half * NOISE, V, doubles(K), 8, V, dCm, K, K, K)
  solve(LC, dM, K, C)
  addProduct(-1, dM, doubles(C), 8, T, dCm, K, C, K)
}

/** From dCm and dHm to dZ, dM0 and dG0: Cm = NOISE I + W W^T, Hm = NOISE M0 + W Z, W = ridge(M0 M0^T)^-1 M0 Z^T. */
function backWrite(n: i32, K: i32, C: i32): void {
  symmetrise(dCm, K, 0)
  product(S, W, dW, K, K, n)
  addProduct(1, dM, doubles(C), 8, ZT, dW, K, C, n)
  addProduct(1, W, 8, doubles(n), dM, dZ, n, K, C)
  addScaled(NOISE, dM, dM0, K * C)
  solve(L0, dW, K, n)
  addProduct(-1, dW, doubles(n), 8, WT, dG0, K, n, K)
  addProduct(1, dW, doubles(n), 8, Z, dM0, K, n, C)
  addProduct(1, dW, 8, doubles(n), M0, dZ, n, K, C)
}

/** dz[B,C] and dprior[K,C] for dread[B,C] and dkl[1], each 0 where absent. */
export function memory_episodes_grad__f32(
  dreadAt: usize,
  dklAt: usize,
  zAt: usize,
  priorAt: usize,
  dzAt: usize,
  dpriorAt: usize,
  scratchAt: usize,
  B: i32,
  K: i32,
  C: i32,
  E: i32,
): void {
  layOut(scratchAt, K, C, E)
  layOutGradient(K, C, E)
  openPrior(priorAt, K, C)
  const dkl = dklAt ? <f64>load<f32>(dklAt) : 0
  const dklAddress = dkl / (<f64>B * <f64>K)
  const dklMemory = dkl / (<f64>episodes(B, E) * <f64>K * <f64>C)
  memory.fill(dM0, 0, doubles(K * C))
  memory.fill(dG0, 0, doubles(K * K))
  memory.fill(D, 0, doubles(E * C))
  for (let first = 0; first < B; first += E) {
    const n = min(E, B - first)
    const at = bytes(first * C)
    write(zAt + at, n, K, C)
    read(n, K, C)
    if (dreadAt) widen(dreadAt + at, D, n * C)
    backRead(dklAddress, n, K, C)
    backMean(dklMemory, K, C)
    backWrite(n, K, C)
    narrow(dZ, dzAt + at, n * C)
  }
  symmetrise(dG0, K, RIDGE)
  addProduct(1, S, doubles(K), 8, M0, dM0, K, K, C)
  narrow(dM0, dpriorAt, K * C)
}
