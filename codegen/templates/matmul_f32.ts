/**
 * The f32 products of training (y[M,N] = x[M,K] . w[N,K]^T and its two gradients) and the gradient through packed
 * ternary weights. The second operand is repacked into panels of 8 columns, in groups that stay in the second-level
 * cache: once a call, in TN once a block of M, row by row because there it streams from memory. 80 to 95 % of the
 * multipliers' peak; the packing of TN is the rest. Each thread packs the panels that it multiplies, in memory of its own.
 */
import { GROUP_BYTES, TN_PANEL_ROWS, TN_ROWS } from '../../src/abi.ts'
import { int8Rows } from './int8_rows.ts'
import { gemmPanel, gemmTile, gemmTileScalar, heights } from './gemm.ts'
import { ternaryGradient } from './ternary_gradient.ts'
import { each } from '../text.ts'

/** Bytes from panel to panel of a TN block. */
const TN_PANEL = 32 * TN_PANEL_ROWS
/** Floats of the first operand that are used again from cache by every panel: 128 KiB. */
const CACHED_FLOATS = 32768

/**
 * Rows of the first operand for each column of the second from which on threads split the former: they are read once
 * then, in place of once a part, and every thread packs all panels, into memory of its own (hence `scratch`). In a
 * training step of 64 pairs two threads take a fifth less time for nt, a tenth less for nn of codes; of 16 pairs the same.
 */
const MANY_ROWS = 4

const TRANSPOSE = `
/** Four rows of four, \`stride\` bytes apart, as columns 32 bytes apart. */
function transpose(from: usize, stride: usize, to: usize): void {
  const r0 = v128.load(from), r1 = v128.load(from + stride)
  const r2 = v128.load(from + 2 * stride), r3 = v128.load(from + 3 * stride)
  const a = f32x4.shuffle(r0, r1, 0, 4, 1, 5), b = f32x4.shuffle(r2, r3, 0, 4, 1, 5)
  const c = f32x4.shuffle(r0, r1, 2, 6, 3, 7), d = f32x4.shuffle(r2, r3, 2, 6, 3, 7)
  v128.store(to, f64x2.shuffle(a, b, 0, 2))
  v128.store(to, f64x2.shuffle(a, b, 1, 3), 32)
  v128.store(to, f64x2.shuffle(c, d, 0, 2), 64)
  v128.store(to, f64x2.shuffle(c, d, 1, 3), 96)
}
`

/** The first of four rows moves them all; what is left of each are its last 3 numbers at most. */
const FOUR_ROWS = `
      if (n0 + (j | 3) < N) {
        if ((j & 3) == 0) {
          for (; k + 4 <= K; k += 4) transpose(from + (<usize>k << 2), <usize>K << 2, to + (<usize>k << 5))
        }
        k = K & ~3
        from += <usize>k << 2
        to += <usize>k << 5
      }`

/** Outputs of one pass over a single row: four sums of four hide the latency of an addition. */
const SINGLE = 16

/**
 * A product of one row reads every weight once: packing them first would take longer than the product. With madd only
 * where 4 divides K: what is left is added with two roundings, which panels, a smaller share of outputs, do not.
 */
function singleRow(madd: boolean): string {
  const sums = SINGLE / 4
  const plus = (sum: string, x: string, w: string) =>
    `${sum} = ${madd ? `f32x4.relaxed_madd(${x}, ${w}, ${sum})` : `f32x4.add(${sum}, f32x4.mul(${x}, ${w}))`}`
  return `
/** y[N] = x[K] . w[N,K]^T + bias[N], N >= ${SINGLE}; the last pass overlaps the one before, to the same bits. */
function single_row(xAt: usize, wAt: usize, biasAt: usize, yAt: usize, K: i32, N: i32): void {
  const row = <usize>K << 2
  const whole = row & ~15
  for (let n = 0; n < N; n += ${SINGLE}) {
    const first = <usize>min(n, N - ${SINGLE})
    const w = wAt + first * row
    const bias = biasAt + (first << 2)
    const to = yAt + (first << 2)
    ${each(sums, (i) => `let p${i} = biasAt ? v128.load(bias, ${16 * i}) : f32x4.splat(0)`, '    ')}
    for (let k: usize = 0; k < whole; k += 16) {
      const x0 = v128.load32_splat(xAt + k), x1 = v128.load32_splat(xAt + k, 4)
      const x2 = v128.load32_splat(xAt + k, 8), x3 = v128.load32_splat(xAt + k, 12)
      let at = w + k, r0: v128, r1: v128, r2: v128, r3: v128, a: v128, b: v128
      ${each(
        sums,
        (i) => `r0 = v128.load(at); r1 = v128.load(at + row); r2 = v128.load(at + 2 * row); r3 = v128.load(at + 3 * row)
      a = f32x4.shuffle(r0, r1, 0, 4, 1, 5); b = f32x4.shuffle(r2, r3, 0, 4, 1, 5)
      ${plus(`p${i}`, 'x0', 'f64x2.shuffle(a, b, 0, 2)')}; ${plus(`p${i}`, 'x1', 'f64x2.shuffle(a, b, 1, 3)')}
      a = f32x4.shuffle(r0, r1, 2, 6, 3, 7); b = f32x4.shuffle(r2, r3, 2, 6, 3, 7)
      ${plus(`p${i}`, 'x2', 'f64x2.shuffle(a, b, 0, 2)')}; ${plus(`p${i}`, 'x3', 'f64x2.shuffle(a, b, 1, 3)')}
      at += 4 * row`,
        '      ',
      )}
    }
    ${each(sums, (i) => `v128.store(to, p${i}, ${16 * i})`, '    ')}
    for (let k = whole; k < row; k += 4) {
      for (let j: usize = 0; j < ${SINGLE}; j++) {
        const at = to + (j << 2)
        store<f32>(at, load<f32>(at) + load<f32>(xAt + k) * load<f32>(w + j * row + k))
      }
    }
  }
}`
}

/**
 * Source of one module of products; `name` makes the exports from the family, `full` is the rows of a full tile.
 */
export function matmulF32(vector: boolean, madd: boolean, name: (family: string) => string, full: number): string {
  const sizes = vector ? heights(full) : [1]
  const tiles = vector
    ? sizes.flatMap((rows) => [gemmTile(rows, 8, 'rows', madd), gemmTile(rows, 8, 'columns', madd)])
    : [gemmTileScalar('rows'), gemmTileScalar('columns')]
  const copy8 = (from: string, to: string) =>
    vector
      ? `v128.store(${to}, v128.load(${from})); v128.store(${to}, v128.load(${from}, 16), 16)`
      : `memory.copy(${to}, ${from}, 32)`
  return `
import { again, endOf, firstOf, scratch } from '../lib/threads'

const ZERO = memory.data(32, 16)
/** Where 8 columns of a bias lie in scratch, behind what panels of fewer columns use. */
const BIAS: usize = 64
${tiles.join('\n')}
${gemmPanel('rows', sizes)}
${gemmPanel('columns', sizes)}

${vector ? TRANSPOSE : ''}
${vector ? singleRow(madd) : ''}
/** What this part is of the product at hand: rows of the first operand, columns of the second up to \`last\`. */
let fromRow: i32 = 0, toRow: i32 = 0, last: i32 = 0
/** Columns of the group of panels at hand, and whether it is all of this product. */
let first: i32 = 0, end: i32 = 0, whole = false

/** Divides a product among threads: columns in \`unit\`s, or all of them for some rows. */
function split(M: i32, columns: i32, unit: i32): void {
  const byRows = M >= ${MANY_ROWS} * columns
  fromRow = byRows ? firstOf(M, ${full}) : 0
  toRow = byRows ? endOf(M, ${full}) : M
  first = byRows ? 0 : firstOf(columns, unit)
  last = byRows ? columns : endOf(columns, unit)
  if (fromRow == toRow) last = first
  if (!again) whole = false
  end = first
}

/** Goes on to the columns of the next group of panels; false behind the last. */
function next_group(depth: i32): bool {
  first = end
  end = min(last, first + max(1, ${GROUP_BYTES / 32} / depth) * 8)
  return first < end
}

/** Whether the group is to be packed: a part before, of other rows, has left it where it is all of the product. */
function is_new(columns: i32): bool {
  const left = whole
  whole = end - first == columns
  return !(left && whole)
}

/** Row-major w[N,K] into panels over N: panel[k][j] = w[n0 + j][k], zeros past N; those of the group. */
function panels_of_rows(wAt: usize, toAt: usize, K: i32, N: i32): void {
  for (let n0 = first; n0 < end; n0 += 8) {
    for (let j = 0; j < 8; j++) {
      let from = wAt + (<usize>(n0 + j) * <usize>K << 2)
      let to = toAt + (<usize>j << 2)
      const real = n0 + j < N
      let k = 0${vector ? FOUR_ROWS : ''}
      for (; k < K; k++) {
        store<f32>(to, real ? load<f32>(from) : 0)
        from += 4
        to += 32
      }
    }
    toAt += <usize>K << 5
  }
}

/** Row-major w[N,K] into panels over K: panel[n][j] = w[n][k0 + j], zeros past K; those of the group. */
function panels_of_columns(wAt: usize, toAt: usize, K: i32, N: i32): void {
  for (let k0 = first; k0 < end; k0 += 8) {
    const width = min(8, K - k0)
    let from = wAt + (<usize>k0 << 2)
    for (let n = 0; n < N; n++) {
      if (width == 8) {
        ${copy8('from', 'toAt')}
      } else {
        memory.fill(toAt, 0, 32)
        memory.copy(toAt, from, <usize>width << 2)
      }
      from += <usize>K << 2
      toAt += 32
    }
  }
}

/** a[M,depth] times the panels of the group -> c[M,columns], in blocks of rows that stay in the second-level cache. */
function multiply(aAt: usize, panelsAt: usize, biasAt: usize, cAt: usize, depth: i32, columns: i32): void {
  const most = max(1, ${CACHED_FLOATS} / depth / ${full}) * ${full}
  aAt += <usize>fromRow * <usize>depth << 2
  cAt += <usize>fromRow * <usize>columns << 2
  for (let m = fromRow; m < toRow; m += most) {
    const rows = min(most, toRow - m)
    let panelAt = panelsAt
    for (let n0 = first; n0 < end; n0 += 8) {
      const width = min(8, columns - n0)
      let initAt = ZERO
      if (biasAt) {
        initAt = scratch + BIAS
        memory.fill(initAt, 0, 32)
        memory.copy(initAt, biasAt + (<usize>n0 << 2), <usize>width << 2)
      }
      panel_rows(aAt, <usize>depth << 2, panelAt, depth, initAt, 0, cAt + (<usize>n0 << 2), <usize>columns << 2, rows, width)
      panelAt += <usize>depth << 5
    }
    aAt += <usize>rows * <usize>depth << 2
    cAt += <usize>rows * <usize>columns << 2
  }
}

/** y[M,N] = x[M,K] . w[N,K]^T + bias[N] (biasAt 0: none); scratch: a group of panels. */
export function ${name('matmul_nt__f32')}(xAt: usize, wAt: usize, biasAt: usize, yAt: usize, scratchAt: usize, M: i32, K: i32, N: i32): void {
  split(M, N, ${vector ? `M == 1 ? ${SINGLE} : 8` : '8'})
  ${
    vector
      ? `if (M == 1 && last - first >= ${SINGLE}${madd ? ' && K % 4 == 0' : ''}) {
    const at = <usize>first << 2
    return single_row(xAt, wAt + at * <usize>K, biasAt ? biasAt + at : 0, yAt + at, K, last - first)
  }`
      : ''
  }
  while (next_group(K)) {
    if (is_new(N)) panels_of_rows(wAt, scratchAt, K, N)
    multiply(xAt, scratchAt, biasAt, yAt, K, N)
  }
}

/** dx[M,K] = dy[M,N] . w[N,K]; scratch: a group of panels. */
export function ${name('matmul_nn__f32')}(dyAt: usize, wAt: usize, dxAt: usize, scratchAt: usize, M: i32, K: i32, N: i32): void {
  split(M, K, 8)
  while (next_group(N)) {
    if (is_new(K)) panels_of_columns(wAt, scratchAt, K, N)
    multiply(dyAt, scratchAt, 0, dxAt, N, K)
  }
}

/** Columns of row-major x[rows,K] into panels over K, in the order in which x lies in memory. */
function pack_block(xAt: usize, toAt: usize, K: i32, rows: i32, columns: i32): void {
  const tail = <usize>(columns & 7) << 2
  for (let r = 0; r < rows; r++) {
    let from = xAt, to = toAt
    for (let k = columns >> 3; k > 0; k--) {
      ${copy8('from', 'to')}
      from += 32
      to += ${TN_PANEL}
    }
    if (tail) {
      memory.fill(to, 0, 32)
      memory.copy(to, from, tail)
    }
    xAt += <usize>K << 2
    toAt += 32
  }
}

/** dw[N,K] = dy[M,N]^T . x[M,K], sums in order of m; panels: round8(K)*${TN_PANEL_ROWS} f32. */
export function ${name('matmul_tn__f32')}(dyAt: usize, xAt: usize, dwAt: usize, panelsAt: usize, M: i32, K: i32, N: i32): void {
  const row = <usize>K << 2
  const begin = firstOf(K, 8), stop = endOf(K, 8)
  panelsAt += <usize>(begin >> 3) * ${TN_PANEL}
  for (let m = 0; m < M; m += ${TN_ROWS}) {
    const rows = min(${TN_ROWS}, M - m)
    pack_block(xAt + (<usize>begin << 2), panelsAt, K, rows, stop - begin)
    let panelAt = panelsAt
    for (let k0 = begin; k0 < stop; k0 += 8) {
      const at = dwAt + (<usize>k0 << 2)
      panel_columns(dyAt, <usize>N << 2, panelAt, rows, m ? at : ZERO, m ? row : 0, at, row, N, min(8, K - k0))
      panelAt += ${TN_PANEL}
    }
    dyAt += <usize>rows * <usize>N << 2
    xAt += <usize>rows * row
  }
}

${ternaryGradient(vector, name)}
${int8Rows(vector, name)}`
}
