/**
 * Register tiles of the ternary product for several rows (matmul_ternary.ts): `tile_R(...)` gives y of R rows x 16
 * outputs, of which the first `columns` are there. The weights of 16 outputs are unpacked into a panel, a byte a weight,
 * which all rows pass over: so decoding hardly counts, and a multiplication and an addition of vectors make 16 products,
 * on plain vectors too; an instruction that does both makes as many. On x86-64 8-bit dots reach 80 to 110 % of the loop
 * of bench/peaks.ts, which keeps the same instructions in another order; 16-bit dots 1.1 to 1.5 times theirs.
 */
import { each } from '../text.ts'

const TILE_PARAMETERS =
  'xAt: usize, stride: usize, absmaxAt: usize, sumsAt: usize, w: usize, gammaAt: usize, biasAt: usize, yAt: usize, yStride: usize, blocks: i32, columns: i32'

const scale = (r: number) => `load<f32>(gammaAt) * (load<f32>(absmaxAt, ${4 * r}) / 127)`

/** Panel of the relaxed dots, [K/4][16 outputs][4 inputs] of codes. */
export const UNPACK_FOURS = `
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

/** A relaxed dot of four inputs with four outputs. */
export interface DotForm {
  /** Adds the products of the activations x with the weights w to a sum. */
  add: (sum: string, x: string, w: string) => string
  /** Inputs that a sum holds before it is widened to 32 bits, where it must be. */
  inputs?: number
}

/** Into 32-bit lanes, which hold any K below 2^23: one instruction on arm64 with dotprod and on AVX-VNNI. */
export const DOTS_I32: DotForm = {
  add: (sum, x, w) => `i32x4.relaxed_dot_i8x16_i7x16_add_s(${x}, ${w}, ${sum})`,
}

/** Into 16-bit lanes, two an output: pairs are 2*2*127 at most, and 64 of them stay below 2^15. */
export const DOTS_I16: DotForm = {
  add: (sum, x, w) => `i16x8.add(${sum}, i16x8.relaxed_dot_i8x16_i7x16_s(${x}, ${w}))`,
  inputs: 256,
}

/**
 * The tile of relaxed 8-bit dots: 8 outputs of `rows` rows, then the other 8. Codes of activations lie in -127..127 and
 * of weights in 0..2; instead of w = code - 1, sums begin below zero by the sum of activations. Of 15 vector registers 6
 * rows take 12 for sums, 2 for weights and 1 for activations; dots into 16-bit lanes need another for the product. So
 * gamma waits in memory, and a turn takes four inputs: of eight V8 keeps all weights at once and spills sums, a fifth
 * slower.
 */
export function dotTile(rows: number, { add, inputs }: DotForm): string {
  const sums = Array.from({ length: rows }, (_, r) => [`p${r}`, `q${r}`]).flat()
  const all = (line: (sum: string, i: number) => string) => sums.map(line).join('; ')
  const start = (r: number) => `i32x4.splat(-load<i32>(sumsAt, ${4 * r}))`
  const total = (sum: string, i: number) =>
    `i32x4.add(v128.load(SUMS, ${16 * i}), i32x4.extadd_pairwise_i16x8_s(${sum}))`
  const loop = (blocks: string) => `for (const end = w + (<usize>${blocks} << 7); w < end; w += 64) {
    const a = v128.load(w), b = v128.load(w, 16)
    let x: v128
    ${each(rows, (r) => `x = v128.load32_splat(x${r}); p${r} = ${add(`p${r}`, 'x', 'a')}; q${r} = ${add(`q${r}`, 'x', 'b')}; x${r} += 4`, '    ')}
  }`
  const chunks = `${each(rows, (r) => `p${r} = ${start(r)}; q${r} = p${r}; v128.store(SUMS, p${r}, ${32 * r}); v128.store(SUMS, p${r}, ${32 * r + 16})`, '  ')}
  for (; blocks > 0; blocks -= ${inputs! / 8}) {
    ${all((sum) => `${sum} = i16x8.splat(0)`)}
    ${loop(`min(blocks, ${inputs! / 8})`)}
    ${all((sum, i) => `${sum} = ${total(sum, i)}; v128.store(SUMS, ${sum}, ${16 * i})`)}
  }`
  return `
function tile_${rows}(${TILE_PARAMETERS}): void {
  half_${rows}(xAt, stride, absmaxAt, sumsAt, w, gammaAt, biasAt, yAt, yStride, blocks, columns)
  if (columns > 8) half_${rows}(xAt, stride, absmaxAt, sumsAt, w + 32, gammaAt, biasAt ? biasAt + 32 : 0, yAt + 32, yStride, blocks, columns - 8)
}

function half_${rows}(${TILE_PARAMETERS}): void {
  ${each(rows, (r) => `let x${r} = xAt + ${r} * stride, p${r}: v128, q${r}: v128`, '  ')}
  ${
    inputs
      ? chunks
      : `${each(rows, (r) => `p${r} = ${start(r)}; q${r} = p${r}`, '  ')}
  ${loop('blocks')}`
  }
  if (columns >= 8) {
    ${each(rows, (r) => `finish8(p${r}, q${r}, f32x4.splat(${scale(r)}), biasAt, yAt + ${r} * yStride)`, '    ')}
    return
  }
  ${all((sum, i) => `v128.store(SUMS, ${sum}, ${16 * i})`)}
  ${each(rows, (r) => `finish(SUMS + ${32 * r}, 0, ${scale(r)}, biasAt, yAt + ${r} * yStride, columns)`, '  ')}
}
`
}

/** Lanes of a shuffle that interleaves the first, or the second, halves of two vectors of bytes. */
const interleave = (half: 0 | 1) =>
  Array.from({ length: 16 }, (_, i) => 8 * half + (i >> 1) + (i & 1 ? 16 : 0)).join(', ')

/**
 * Plain 16-bit dots: the panel. A weight of 16 bits is that of two outputs, w0 + 2^14 w1, so a dot does as much as one of
 * bytes. With w in -1..1 the first sum of 64 inputs lies in +-64 * 127, within +-2^13, so the two come apart again.
 */
export const UNPACK_PAIRS = `
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
}`

/**
 * Their tile, rows <= 8 for their place in SUMS. Of the 15 vector registers that engines leave on x86-64, 4 rows take 8
 * for sums, 4 for weights and 3 for the rest.
 */
export function pairTile(rows: number): string {
  const at = (r: number, i: number) => `SUMS + ${64 * r + 16 * i}`
  const totals = (r: number) =>
    [`firsts(p${r})`, `firsts(q${r})`, `seconds(p${r})`, `seconds(q${r})`].map(
      (sum, i) => `i32x4.add(v128.load(${at(r, i)}), ${sum})`,
    )
  const store = (r: number) => totals(r).map((total, i) => `v128.store(${at(r, i)}, ${total})`)
  const add = (sum: string, first: string, second: string) =>
    `${sum} = i32x4.add(i32x4.add(${sum}, i32x4.dot_i16x8_s(x, ${first})), i32x4.dot_i16x8_s(y, ${second}))`
  return `
function tile_${rows}(${TILE_PARAMETERS}): void {
  ${each(
    rows,
    (r) => `let x${r} = xAt + ${r} * stride, p${r}: v128, q${r}: v128
  ${each(4, (i) => `v128.store(${at(r, i)}, i32x4.splat(0))`, '  ')}`,
    '  ',
  )}
  while (true) {
    const left = min(blocks, 8)
    blocks -= left
    ${each(rows, (r) => `p${r} = i32x4.splat(0); q${r} = i32x4.splat(0)`, '    ')}
    for (const end = w + (<usize>left << 7); w < end; w += 64) {
      const a = v128.load(w), b = v128.load(w, 16), c = v128.load(w, 32), d = v128.load(w, 48)
      let x: v128, y: v128
      ${each(
        rows,
        (r) => `y = i16x8.extend_low_i8x16_s(v128.load32_zero(x${r}))
      x = i32x4.shuffle(y, y, 0, 0, 0, 0); y = i32x4.shuffle(y, y, 1, 1, 1, 1)
      ${add(`p${r}`, 'a', 'c')}
      ${add(`q${r}`, 'b', 'd')}
      x${r} += 4`,
        '      ',
      )}
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
