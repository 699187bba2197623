/**
 * Attention heads (arXiv 1706.03762; model.md section 4) and their gradient: six small products with a softmax between
 * them, on tiles of gemm.ts and operands in place. Every element of a product is one sum in order, so tiles at an edge
 * overlap their neighbours and change no bit. Only the probabilities of one head are ever in memory: the gradient
 * computes them again, to the same bits (as in FlashAttention, arXiv 2205.14135, section 3.1, but without its blocks:
 * rows of a head fit the caches). At 257 tokens products reach 80 to 95 % of the multipliers' peak, and the softmax
 * between them is a quarter of the time.
 */
import { gemmTile, heights, type Walk } from './gemm.ts'

const WALKS: readonly Walk[] = ['rows', 'columns']

/** Tiles of rows that are in work at once: their probabilities, of 257 keys 40 KB, stay in the first-level cache. */
const TILES = 6

const FACTORS = `
/** Where factors of rows lie in scratch: with madd a softmax uses what is before them, no more. */
const FACTORS: usize = 64
`

/** All rows of `width` columns, in tiles of `sizes` rows: the last may overlap the one before. */
function stripe(walk: Walk, width: 4 | 8, sizes: readonly number[]): string {
  const step = walk === 'rows' ? 'aStride' : '4'
  const loop = (height: number, i: number) => `
  for (; rows - r > ${sizes[i + 1] ?? 0} && rows >= ${height}; r += ${height}) {
    const first = <usize>min(r, rows - ${height})
    gemm_${walk}_${height}x${width}(aAt + first * ${step}, aStride, bAt, bStride, depth, ZERO, 0, cAt + first * cStride, cStride)
  }`
  return `
/** c[rows,${width}] = a . b; strides as in a tile. */
function stripe_${walk}_${width}(aAt: usize, aStride: usize, bAt: usize, bStride: usize, cAt: usize, cStride: usize, rows: i32, depth: i32): void {
  let r = 0${sizes.map(loop).join('')}
}`
}

/** A product of any size; less than 4 columns go one by one. */
function product(walk: Walk, vector: boolean): string {
  const [row, step] = walk === 'rows' ? ['aStride', '4'] : ['4', 'aStride']
  return `
/** c[rows,columns] = a[rows,depth] . b[depth,columns]; strides as in a tile. c must not overlap a or b. */
function product_${walk}(aAt: usize, aStride: usize, bAt: usize, bStride: usize, cAt: usize, cStride: usize, rows: i32, columns: i32, depth: i32): void {${
    vector
      ? `
  if (columns >= 4) {
    let j = 0
    for (; columns - j > 4 && columns >= 8; j += 8) {
      const at = bytes(min(j, columns - 8))
      stripe_${walk}_8(aAt, aStride, bAt + at, bStride, cAt + at, cStride, rows, depth)
    }
    for (; j < columns; j += 4) {
      const at = bytes(min(j, columns - 4))
      stripe_${walk}_4(aAt, aStride, bAt + at, bStride, cAt + at, cStride, rows, depth)
    }
    return
  }`
      : ''
  }
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < columns; j++) {
      let a = aAt, b = bAt + bytes(j), sum: f32 = 0
      for (let d = 0; d < depth; d++) {
        sum += load<f32>(a) * load<f32>(b)
        a += ${step}
        b += bStride
      }
      store<f32>(cAt + bytes(j), sum)
    }
    aAt += ${row}
    cAt += cStride
  }
}`
}

/** Source of one module of attention; `name` makes the exports from the family, `full` is the rows of a full tile. */
export function attention(vector: boolean, madd: boolean, name: (family: string) => string, full: number): string {
  const sizes = heights(full)
  const most = TILES * full
  const widths = [8, 4] as const
  const tiles = WALKS.flatMap((walk) =>
    widths.flatMap((width) => [...sizes.map((rows) => gemmTile(rows, width, walk, madd)), stripe(walk, width, sizes)]),
  )
  return `
import { bytes${madd ? ', scaleRow' : ''} } from '../lib/lanes'
import { softmax, softmaxGrad } from '../lib/softmax'
import { endOf, firstOf${madd ? ', scratch' : ''} } from '../lib/threads'
import { turn } from '../lib/turn'

const ZERO = memory.data(32, 16)
${madd ? FACTORS : ''}
${vector ? tiles.join('\n') : ''}
${WALKS.map((walk) => product(walk, vector)).join('\n')}

/** Keys that samples of \`lengths\` see; all where there are none. */
function visible(lengthsAt: usize, b: i32, Tk: i32): i32 {
  return lengthsAt ? max(0, min(load<i32>(lengthsAt + bytes(b)), Tk)) : Tk
}

/** p[rows,n] = softmax(q . k^T * scale) of one head: rows of D numbers, \`row\` bytes apart in q; turned: k^T; the rest as in softmax. */
function probabilities(qAt: usize, row: usize, turnedAt: usize, pAt: usize, rows: i32, n: i32, D: i32, scale: f32, first: i32, factorsAt: usize = 0): void {
  const pRow = bytes(n)
  product_rows(qAt, row, turnedAt, pRow, pAt, pRow, rows, n, D)
  softmax(pAt, scale, rows, n, first, ${madd}, factorsAt)
}

/** y[B,Tq,C] of q[B,Tq,C], k, v[B,Tk,C]; scratch: p of rows of a head, at most [Tq,Tk], and a head of k, turned, 4*Tk*C/H bytes. */
export function ${name('attention__f32')}(qAt: usize, kAt: usize, vAt: usize, lengthsAt: usize, yAt: usize, scratchPAt: usize, scratchAt: usize, B: i32, Tq: i32, Tk: i32, C: i32, heads: i32, causal: i32): void {
  const D = C / heads
  const row = bytes(C)
  const scale: f32 = 1 / sqrt<f32>(<f32>D)
  for (let head = firstOf(B * heads), end = endOf(B * heads); head < end; head++) {
    const b = head / heads
    const n = visible(lengthsAt, b, Tk)
    const h = bytes((head % heads) * D)
    const q = <usize>(b * Tq) * row + h
    const k = <usize>(b * Tk) * row + h
    turn(kAt + k, row, n, D, scratchAt)
    for (let r = 0; r < Tq; r += ${most}) {
      const rows = min(${most}, Tq - r)
      const at = q + <usize>r * row
      probabilities(qAt + at, row, scratchAt, scratchPAt, rows, n, D, scale, causal ? r + 1 : 0${madd ? ', scratch + FACTORS' : ''})
      product_rows(scratchPAt, bytes(n), vAt + k, row, yAt + at, row, rows, D, n)${
        madd
          ? `
      for (let i = 0, y = yAt + at; n > 0 && i < rows; i++, y += row) scaleRow(load<f32>(scratch + bytes(i), FACTORS), y, y, D)`
          : ''
      }
    }
  }
}

/**
 * dp = dy . v^T, ds = p * (dp - sum(dp * p)) / sqrt(D), dq = ds . k, dk = ds^T . q, dv = p^T . dy, a head at a time.
 * Scratch: p and ds [Tq,Tk] of a head, and a head of k or v, turned. Masked keys have p = 0, so ds = 0, and get
 * gradients of 0.
 */
export function ${name('attention_grad__f32')}(dyAt: usize, qAt: usize, kAt: usize, vAt: usize, lengthsAt: usize, dqAt: usize, dkAt: usize, dvAt: usize, scratchPAt: usize, scratchDsAt: usize, scratchAt: usize, B: i32, Tq: i32, Tk: i32, C: i32, heads: i32, causal: i32): void {
  const D = C / heads
  const row = bytes(C)
  const scale: f32 = 1 / sqrt<f32>(<f32>D)
  for (let head = firstOf(B * heads), end = endOf(B * heads); head < end; head++) {
    const b = head / heads
    const n = visible(lengthsAt, b, Tk)
    const pRow = bytes(n)
    const h = bytes((head % heads) * D)
    const q = <usize>(b * Tq) * row + h
    const k = <usize>(b * Tk) * row + h
    turn(kAt + k, row, n, D, scratchAt)
    probabilities(qAt + q, row, scratchAt, scratchPAt, Tq, n, D, scale, causal ? 1 : 0)
    turn(vAt + k, row, n, D, scratchAt)
    product_rows(dyAt + q, row, scratchAt, pRow, scratchDsAt, pRow, Tq, n, D)
    for (let i = 0; i < Tq; i++) softmaxGrad(scratchPAt + <usize>i * pRow, scratchDsAt + <usize>i * pRow, scale, n)
    product_rows(scratchDsAt, pRow, kAt + k, row, dqAt + q, row, Tq, D, n)
    product_columns(scratchDsAt, pRow, qAt + q, row, dkAt + k, row, n, D, Tq)
    product_columns(scratchPAt, pRow, dyAt + q, row, dvAt + k, row, n, D, Tq)
    for (let j = n; j < Tk; j++) {
      memory.fill(dkAt + k + <usize>j * row, 0, bytes(D))
      memory.fill(dvAt + k + <usize>j * row, 0, bytes(D))
    }
  }
}`
}
