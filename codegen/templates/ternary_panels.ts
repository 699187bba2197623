/**
 * Register tiles of the ternary product for several rows (matmul_ternary.ts). The weights of 16 outputs are unpacked
 * into a panel, a byte a weight, which all rows pass over: so decoding hardly counts, and a multiplication and an
 * addition of vectors make 16 products, on plain vectors too; an instruction that does both makes as many. On x86-64
 * with 8-bit dots 80 to 110 % of the loop of bench/peaks.ts, which keeps the same instructions in another order; with
 * 16-bit dots 1.1 to 1.5 times its loop.
 */
import { each } from '../text.ts'

/** How a tile multiplies, in the terms of an instruction set. */
export interface PanelForm {
  /** Inputs that sums in registers hold before they are added to those in memory. */
  inputs: number
  /** `unpack(w, second, to, blocks)`: packed blocks of 8 + 8 outputs to a panel of 128 bytes a block. */
  unpack: string
  /** What the sums of row r begin with. */
  start: (r: number) => string
  /** Four inputs: adds the products of the weights a, b, c, d with row r, where x and y are free, to p and q. */
  step: (r: number) => string
  /** The sums of 16 outputs that p and q hold, as four vectors of i32. */
  sums: (p: string, q: string) => string[]
}

/** `instruction` of activations and weights added to a sum, for two inputs and then for the next two. */
const addTwo = (lanes: string, instruction: string, sum: string, first: string, second: string) =>
  `${sum} = ${lanes}.add(${lanes}.add(${sum}, ${instruction}(x, ${first})), ${instruction}(y, ${second}))`

/**
 * Relaxed 8-bit dots in 16-bit lanes. Codes of activations lie in -127..127 and of weights in 0..2: |pair| <= 2*2*127,
 * and 64 of them in 2^15. Instead of w = code - 1, sums begin below zero by the sum of activations.
 */
export const DOTS: PanelForm = {
  inputs: 128,
  unpack: `
/** Panel [K/2][16 outputs][2 inputs] of codes. */
function unpack(w: usize, second: usize, to: usize, blocks: i32): void {
  const mask = v128.load(MASK)
  for (; blocks > 0; blocks--) {
    const u = v128.load(w), v = v128.load(w + second)
    ${each(
      4,
      (s) => `v128.store(to, v128.and(i16x8.shr_u(u, ${2 * s}), mask), ${32 * s})
    v128.store(to, v128.and(i16x8.shr_u(v, ${2 * s}), mask), ${32 * s + 16})`,
      '    ',
    )}
    w += 16
    to += 128
  }
}`,
  start: (r) => `i32x4.splat(-load<i32>(sumsAt, ${4 * r}))`,
  step: (r) => `x = v128.load16_splat(x${r}); y = v128.load16_splat(x${r}, 2)
      ${addTwo('i16x8', 'i16x8.relaxed_dot_i8x16_i7x16_s', `p${r}`, 'a', 'c')}
      ${addTwo('i16x8', 'i16x8.relaxed_dot_i8x16_i7x16_s', `q${r}`, 'b', 'd')}`,
  sums: (p, q) => [p, q].flatMap((v) => ['low', 'high'].map((half) => `i32x4.extend_${half}_i16x8_s(${v})`)),
}

/** Lanes of a shuffle that interleaves the first, or the second, halves of two vectors of bytes. */
const interleave = (half: 0 | 1) =>
  Array.from({ length: 16 }, (_, i) => 8 * half + (i >> 1) + (i & 1 ? 16 : 0)).join(', ')

/**
 * Plain 16-bit dots. A weight of 16 bits is that of two outputs, w0 + 2^14 w1, so a dot does as much as one of bytes.
 * With w in -1..1 the first sum of 64 inputs lies in +-64 * 127, within +-2^13, so the two come apart again.
 */
export const PAIRS: PanelForm = {
  inputs: 64,
  unpack: `
const UPPER = memory.data<u8>([${Array(16).fill(0xc0)}], 16)

/** Panel [K/2][8 pairs of outputs][2 inputs] of weights; the outputs of a pair are 8 apart. */
function unpack(w: usize, second: usize, to: usize, blocks: i32): void {
  const mask = v128.load(MASK), upper = v128.load(UPPER), ones = i16x8.splat(${1 + 2 ** 14})
  for (; blocks > 0; blocks--) {
    const u = v128.load(w), v = v128.load(w + second)
    let a: v128, b: v128
    ${each(
      4,
      (s) => `a = v128.and(i16x8.shr_u(u, ${2 * s}), mask); b = v128.and(i16x8.shl(v, ${6 - 2 * s}), upper)
    v128.store(to, i16x8.sub(i8x16.shuffle(a, b, ${interleave(0)}), ones), ${32 * s})
    v128.store(to, i16x8.sub(i8x16.shuffle(a, b, ${interleave(1)}), ones), ${32 * s + 16})`,
      '    ',
    )}
    w += 16
    to += 128
  }
}

@inline function seconds(pairs: v128): v128 {
  return i32x4.shr_s(i32x4.add(pairs, i32x4.splat(${2 ** 13})), 14)
}
@inline function firsts(pairs: v128): v128 {
  return i32x4.sub(pairs, i32x4.shl(seconds(pairs), 14))
}`,
  start: () => 'i32x4.splat(0)',
  step: (r) => `y = i16x8.extend_low_i8x16_s(v128.load32_zero(x${r}))
      x = i32x4.shuffle(y, y, 0, 0, 0, 0); y = i32x4.shuffle(y, y, 1, 1, 1, 1)
      ${addTwo('i32x4', 'i32x4.dot_i16x8_s', `p${r}`, 'a', 'c')}
      ${addTwo('i32x4', 'i32x4.dot_i16x8_s', `q${r}`, 'b', 'd')}`,
  sums: (p, q) => [`firsts(${p})`, `firsts(${q})`, `seconds(${p})`, `seconds(${q})`],
}

const TILE_PARAMETERS =
  'xAt: usize, stride: usize, absmaxAt: usize, sumsAt: usize, w: usize, gammaAt: usize, biasAt: usize, yAt: usize, yStride: usize, blocks: i32, columns: i32'

const scale = (r: number) => `load<f32>(gammaAt) * (load<f32>(absmaxAt, ${4 * r}) / 127)`

/**
 * `tile_R(...)`: y of `rows` rows x 16 outputs, of which the first `columns` are there; rows <= 8, for their place in SUMS.
 * Of the 15 vector registers that engines leave on x86-64, 4 rows take 8 for sums, 4 for weights and 3 for the rest.
 */
export function panelTile(rows: number, { inputs, start, step, sums }: PanelForm): string {
  const at = (r: number, i: number) => `SUMS + ${64 * r + 16 * i}`
  const totals = (r: number) => sums(`p${r}`, `q${r}`).map((sum, i) => `i32x4.add(v128.load(${at(r, i)}), ${sum})`)
  const store = (r: number) => totals(r).map((total, i) => `v128.store(${at(r, i)}, ${total})`)
  return `
function tile_${rows}(${TILE_PARAMETERS}): void {
  ${each(
    rows,
    (r) => `let x${r} = xAt + ${r} * stride, p${r} = ${start(r)}, q${r}: v128
  ${each(4, (i) => `v128.store(${at(r, i)}, p${r})`, '  ')}`,
    '  ',
  )}
  while (true) {
    const left = min(blocks, ${inputs / 8})
    blocks -= left
    ${each(rows, (r) => `p${r} = i16x8.splat(0); q${r} = i16x8.splat(0)`, '    ')}
    for (const end = w + (<usize>left << 7); w < end; w += 64) {
      const a = v128.load(w), b = v128.load(w, 16), c = v128.load(w, 32), d = v128.load(w, 48)
      let x: v128, y: v128
      ${each(rows, (r) => `${step(r)}\n      x${r} += 4`, '      ')}
    }
    if (blocks == 0 && columns == 16) break
    ${each(rows, (r) => store(r).join('\n    '), '    ')}
    if (blocks == 0) {
      ${each(rows, (r) => `finish(SUMS + ${64 * r}, 0, ${scale(r)}, biasAt, yAt + ${r} * yStride, columns)`, '      ')}
      return
    }
  }
  ${each(rows, (r) => `finish16(${totals(r).join(', ')}, ${scale(r)}, biasAt, yAt + ${r} * yStride)`, '  ')}
}
`
}

/** Panel of the 32-bit dots, [K/4][16 outputs][4 inputs] of codes. */
export const UNPACK_I32 = `
function unpack(w: usize, second: usize, to: usize, blocks: i32): void {
  const mask = v128.load(MASK)
  for (; blocks > 0; blocks--) {
    const u = v128.load(w), v = v128.load(w + second)
    let a: v128, b: v128
    ${['u', 'v']
      .flatMap((block, second) =>
        [0, 1].map((h) => {
          const part = (s: number) => `v128.and(i16x8.shr_u(${block}, ${2 * s}), mask)`
          const at = 64 * h + 32 * second
          return `a = ${part(2 * h)}; b = ${part(2 * h + 1)}
    v128.store(to, i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11), ${at}); v128.store(to, i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15), ${at + 16})`
        }),
      )
      .join('\n    ')}
    w += 16
    to += 128
  }
}`

/**
 * The tile of relaxed 8-bit dots of four inputs into 32-bit lanes, one instruction on arm64 with dotprod and on AVX-VNNI:
 * 8 outputs of `rows` rows, then the other 8. Of 15 vector registers 6 rows take 12 for sums, 2 for weights, 1 for
 * activations. Sums begin as in DOTS; they hold any K below 2^23.
 */
export function dotTile(rows: number): string {
  const dot = (r: number, sum: string, w: string) =>
    `${sum}${r} = i32x4.relaxed_dot_i8x16_i7x16_add_s(x, ${w}, ${sum}${r})`
  return `
function tile_${rows}(${TILE_PARAMETERS}): void {
  half_${rows}(xAt, stride, absmaxAt, sumsAt, w, gammaAt, biasAt, yAt, yStride, blocks, columns)
  if (columns > 8) half_${rows}(xAt, stride, absmaxAt, sumsAt, w + 32, gammaAt, biasAt ? biasAt + 32 : 0, yAt + 32, yStride, blocks, columns - 8)
}

function half_${rows}(${TILE_PARAMETERS}): void {
  ${each(rows, (r) => `let x${r} = xAt + ${r} * stride, p${r} = i32x4.splat(-load<i32>(sumsAt, ${4 * r})), q${r} = p${r}`, '  ')}
  for (const end = w + (<usize>blocks << 7); w < end; w += 64) {
    const a = v128.load(w), b = v128.load(w, 16)
    let x: v128
    ${each(rows, (r) => `x = v128.load32_splat(x${r}); ${dot(r, 'p', 'a')}; ${dot(r, 'q', 'b')}; x${r} += 4`, '    ')}
  }
  if (columns >= 8) {
    ${each(rows, (r) => `finish8(p${r}, q${r}, f32x4.splat(${scale(r)}), biasAt, yAt + ${r} * yStride)`, '    ')}
    return
  }
  ${each(
    rows,
    (r) => `v128.store(SUMS, p${r}); v128.store(SUMS, q${r}, 16)
  finish(SUMS, 0, ${scale(r)}, biasAt, yAt + ${r} * yStride, columns)`,
    '  ',
  )}
}
`
}
