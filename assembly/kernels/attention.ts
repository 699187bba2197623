/**
 * Attention heads (arXiv 1706.03762; model.md section 4) and their gradient: six small products of one routine with a
 * softmax between them. Every element of a product is one sum in order, so tiles may overlap and change no bit.
 * Only the probabilities of one head are ever in memory: the gradient computes them again, to the same bits (as in
 * FlashAttention, arXiv 2205.14135, section 3.1, but without its blocks: rows of a head fit the caches).
 */
import { bytes, dot, scaleRow } from '../lib/lanes'
import { product } from '../lib/product'
import { exponentials, largest } from '../lib/softmax'

/** Keys that samples of `lengths` see; all where there are none. */
function visible(lengthsAt: usize, b: i32, Tk: i32): i32 {
  return lengthsAt ? max(0, min(load<i32>(lengthsAt + bytes(b)), Tk)) : Tk
}

/** p[Tq,n] = softmax(q . k^T * scale) of one head: rows of D numbers, `row` bytes apart, in q and k. */
function probabilities(
  qAt: usize,
  kAt: usize,
  row: usize,
  turnedAt: usize,
  pAt: usize,
  Tq: i32,
  n: i32,
  D: i32,
  scale: f32,
  causal: i32,
): void {
  const pRow = bytes(n)
  turn(kAt, row, n, D, turnedAt)
  product(qAt, row, 4, turnedAt, pRow, pAt, pRow, Tq, n, D)
  for (let i = 0; i < Tq; i++) {
    const seen = causal ? min(n, i + 1) : n
    softmax(pAt, scale, seen)
    // A fill is a call out of the module: not for nothing.
    if (seen < n) memory.fill(pAt + bytes(seen), 0, bytes(n - seen))
    pAt += pRow
  }
}

/** y[B,Tq,C] of q[B,Tq,C], k, v[B,Tk,C]; scratch: p [Tq,Tk] of a head, and a head of k, turned, 4*Tk*C/H bytes. */
export function attention__f32(
  qAt: usize,
  kAt: usize,
  vAt: usize,
  lengthsAt: usize,
  yAt: usize,
  pAt: usize,
  turnedAt: usize,
  B: i32,
  Tq: i32,
  Tk: i32,
  C: i32,
  heads: i32,
  causal: i32,
): void {
  const D = C / heads
  const row = bytes(C)
  const scale: f32 = 1 / sqrt<f32>(<f32>D)
  for (let b = 0; b < B; b++) {
    const n = visible(lengthsAt, b, Tk)
    for (let h: usize = 0; h < row; h += bytes(D)) {
      probabilities(qAt + h, kAt + h, row, turnedAt, pAt, Tq, n, D, scale, causal)
      product(pAt, bytes(n), 4, vAt + h, row, yAt + h, row, Tq, D, n)
    }
    qAt += <usize>Tq * row
    yAt += <usize>Tq * row
    kAt += <usize>Tk * row
    vAt += <usize>Tk * row
  }
}

/**
 * dp = dy . v^T, ds = p * (dp - sum(dp * p)) / sqrt(D), dq = ds . k, dk = ds^T . q, dv = p^T . dy, a head at a time.
 * Scratch: p and ds [Tq,Tk] of a head, and a head of k or v, turned. Masked keys have p = 0, so ds = 0, and get
 * gradients of 0.
 */
export function attention_grad__f32(
  dyAt: usize,
  qAt: usize,
  kAt: usize,
  vAt: usize,
  lengthsAt: usize,
  dqAt: usize,
  dkAt: usize,
  dvAt: usize,
  pAt: usize,
  dsAt: usize,
  turnedAt: usize,
  B: i32,
  Tq: i32,
  Tk: i32,
  C: i32,
  heads: i32,
  causal: i32,
): void {
  const D = C / heads
  const row = bytes(C)
  const scale: f32 = 1 / sqrt<f32>(<f32>D)
  for (let b = 0; b < B; b++) {
    const n = visible(lengthsAt, b, Tk)
    const pRow = bytes(n)
    for (let h: usize = 0; h < row; h += bytes(D)) {
      probabilities(qAt + h, kAt + h, row, turnedAt, pAt, Tq, n, D, scale, causal)
      turn(vAt + h, row, n, D, turnedAt)
      product(dyAt + h, row, 4, turnedAt, pRow, dsAt, pRow, Tq, n, D)
      for (let i = 0; i < Tq; i++) softmaxGrad(pAt + <usize>i * pRow, dsAt + <usize>i * pRow, scale, n)
      product(dsAt, pRow, 4, kAt + h, row, dqAt + h, row, Tq, D, n)
      product(dsAt, 4, pRow, qAt + h, row, dkAt + h, row, n, D, Tq)
      product(pAt, 4, pRow, dyAt + h, row, dvAt + h, row, n, D, Tq)
    }
    if (n < Tk) {
      memory.fill(dkAt + <usize>n * row, 0, <usize>(Tk - n) * row)
      memory.fill(dvAt + <usize>n * row, 0, <usize>(Tk - n) * row)
    }
    dyAt += <usize>Tq * row
    qAt += <usize>Tq * row
    dqAt += <usize>Tq * row
    kAt += <usize>Tk * row
    vAt += <usize>Tk * row
    dkAt += <usize>Tk * row
    dvAt += <usize>Tk * row
  }
}

/** Replaces x[n] by e^(scale * (x - max)) over their sum. */
function softmax(at: usize, scale: f32, n: i32): void {
  if (n == 0) return
  const sum = exponentials(at, scale, largest(at, n), n)
  scaleRow(1 / sum, at, at, n)
}

/** Replaces dp[n] by p * (dp - sum(dp * p)) * scale. */
function softmaxGrad(pAt: usize, dpAt: usize, scale: f32, n: i32): void {
  const mean = dot(pAt, dpAt, n)
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    const m = f32x4.splat(mean)
    const s = f32x4.splat(scale)
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      const rest = f32x4.sub(v128.load(dpAt + i), m)
      v128.store(dpAt + i, f32x4.mul(f32x4.mul(v128.load(pAt + i), rest), s))
    }
  }
  for (const end = bytes(n); i < end; i += 4) {
    store<f32>(dpAt + i, load<f32>(pAt + i) * (load<f32>(dpAt + i) - mean) * scale)
  }
}

/** turned[D,n] = x[n,D]^T, rows of x `row` bytes apart. */
function turn(xAt: usize, row: usize, n: i32, D: i32, turnedAt: usize): void {
  const step = bytes(n)
  let j = 0
  if (ASC_FEATURE_SIMD) {
    for (; j + 4 <= n; j += 4) {
      let d = 0
      for (; d + 4 <= D; d += 4) turnBlock(xAt + bytes(d), row, turnedAt + <usize>d * step + bytes(j), step)
      for (; d < D; d++) {
        for (let r = 0; r < 4; r++) {
          store<f32>(turnedAt + <usize>d * step + bytes(j + r), load<f32>(xAt + <usize>r * row + bytes(d)))
        }
      }
      xAt += 4 * row
    }
  }
  for (; j < n; j++) {
    for (let d = 0; d < D; d++) store<f32>(turnedAt + <usize>d * step + bytes(j), load<f32>(xAt + bytes(d)))
    xAt += row
  }
}

function turnBlock(from: usize, fromRow: usize, to: usize, toRow: usize): void {
  const r0 = v128.load(from),
    r1 = v128.load(from + fromRow)
  const r2 = v128.load(from + 2 * fromRow),
    r3 = v128.load(from + 3 * fromRow)
  const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
  const b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
  const c = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
  const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
  v128.store(to, v128.shuffle<f32>(a, b, 0, 1, 4, 5))
  v128.store(to + toRow, v128.shuffle<f32>(a, b, 2, 3, 6, 7))
  v128.store(to + 2 * toRow, v128.shuffle<f32>(c, d, 0, 1, 4, 5))
  v128.store(to + 3 * toRow, v128.shuffle<f32>(c, d, 2, 3, 6, 7))
}
