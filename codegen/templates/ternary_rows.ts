/**
 * The ternary product of one row alone (matmul_ternary.ts): 16 sums, into SUMS, straight from packed weights. The block
 * layout of src/abi.ts puts outputs into lanes, so no sum ever crosses lanes. All forms give the same int32.
 */
import { each } from '../text.ts'

/** Adds the products of a block at `at` to sums of its outputs 0 to 3 and 4 to 7: `s` of four inputs, `t` of the others. */
const addBlock = (at: string, s: [string, string], t: [string, string]) => {
  const add = (sum: string, x: string, codes: string) =>
    `${sum} = i32x4.relaxed_dot_i8x16_i7x16_add_s(${x}, v128.and(${codes}), ${sum})`
  return `u = v128.load(${at}); v = i16x8.shr_u(u, 2)
    a = i16x8.shuffle(u, v, 0, 8, 1, 9, 2, 10, 3, 11); b = i16x8.shuffle(u, v, 4, 12, 5, 13, 6, 14, 7, 15)
    ${add(s[0], 'x', 'a, mask')}; ${add(s[1], 'x', 'b, mask')}
    ${add(t[0], 'y', 'a, sixteenfold')}; ${add(t[1], 'y', 'b, sixteenfold')}`
}

/**
 * One row by dots of four inputs, where decoding is more than half of the work. So the codes of inputs 4 to 7 stay where
 * they lie, at bit 4, and count sixteen times, in sums of their own: K/2 products of at most 16*254 stay below 2^31 up to
 * K = 2^20. Each of the eight sums takes one dot a turn, so a turn hides how long a dot takes.
 */
export const SINGLE_I32 = `
const SIXTEENFOLD = memory.data<u8>([${Array(16).fill(0x30)}], 16)

/** Sums of one row x 16 outputs into SUMS. */
function single(xAt: usize, w: usize, second: usize, blocks: i32): void {
  const mask = v128.load(MASK), sixteenfold = v128.load(SIXTEENFOLD)
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0
  for (const end = w + (<usize>blocks << 4); w < end; w += 16) {
    const x = v128.load32_splat(xAt), y = v128.load32_splat(xAt, 4)
    let u: v128, v: v128, a: v128, b: v128
    ${addBlock('w', ['s0', 's1'], ['t0', 't1'])}
    ${addBlock('w + second', ['s2', 's3'], ['t2', 't3'])}
    xAt += 8
  }
  ${each(4, (i) => `v128.store(SUMS, i32x4.add(s${i}, i32x4.shr_s(t${i}, 4)), ${16 * i})`, '  ')}
}
`

/** Adds the products of two inputs with 16 outputs: `mask` picks their codes of u and v, to the sums p and q. */
const pick = (s: number, mask: string, p: string, q: string) =>
  `x = v128.load32_splat(xAt, ${4 * s})
      ${p} = i16x8.add(${p}, i16x8.relaxed_dot_i8x16_i7x16_s(x, v128.and(u, ${mask})))
      ${q} = i16x8.add(${q}, i16x8.relaxed_dot_i8x16_i7x16_s(x, v128.and(v, ${mask})))`

/**
 * One row by relaxed 8-bit dots, where decoding is half of the work. So the codes of every second pair of inputs stay
 * where they lie and count four times, in sums of their own: 64 inputs add up to 16 * 4*508 < 2^15 there.
 */
export const SINGLE_I16 = `
const FOURFOLD = memory.data<u8>([${Array(16).fill(12)}], 16)

/** The codes of a row, every pair of inputs twice: 32 bits, which a load spreads over a vector without a shuffle. */
function doublePairs(xAt: usize, toAt: usize, blocks: i32): void {
  for (; blocks > 0; blocks -= 2) {
    const x = v128.load(xAt)
    v128.store(toAt, i16x8.shuffle(x, x, 0, 8, 1, 9, 2, 10, 3, 11))
    v128.store(toAt, i16x8.shuffle(x, x, 4, 12, 5, 13, 6, 14, 7, 15), 16)
    xAt += 16
    toAt += 32
  }
}

/** Sums of one row x 16 outputs into SUMS, from its doubled pairs. */
function single(xAt: usize, w: usize, second: usize, blocks: i32): void {
  const mask = v128.load(MASK), fourfold = v128.load(FOURFOLD)
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0
  while (blocks > 0) {
    const left = min(blocks, 8)
    blocks -= left
    let p1 = i16x8.splat(0), q1 = i16x8.splat(0), p4 = i16x8.splat(0), q4 = i16x8.splat(0)
    for (const end = w + (<usize>left << 4); w < end; w += 16) {
      let u = v128.load(w), v = v128.load(w + second), x: v128
      ${pick(0, 'mask', 'p1', 'q1')}
      ${pick(1, 'fourfold', 'p4', 'q4')}
      u = i16x8.shr_u(u, 4); v = i16x8.shr_u(v, 4)
      ${pick(2, 'mask', 'p1', 'q1')}
      ${pick(3, 'fourfold', 'p4', 'q4')}
      xAt += 16
    }
    p1 = i16x8.add(p1, i16x8.shr_s(p4, 2)); q1 = i16x8.add(q1, i16x8.shr_s(q4, 2))
    s0 = i32x4.add(s0, i32x4.extend_low_i16x8_s(p1)); s1 = i32x4.add(s1, i32x4.extend_high_i16x8_s(p1))
    s2 = i32x4.add(s2, i32x4.extend_low_i16x8_s(q1)); s3 = i32x4.add(s3, i32x4.extend_high_i16x8_s(q1))
  }
  v128.store(SUMS, s0); v128.store(SUMS, s1, 16); v128.store(SUMS, s2, 32); v128.store(SUMS, s3, 48)
}
`

/** Inputs between two widenings of what tables give: 128 steps of at most 8 * 31 stay below 2^15. */
const TABLE_INPUTS = 2048

/** Sets the byte sums l and h to what the tables at `t` give for two blocks u, v of 8 outputs, or adds it: block `from`. */
const lookUp = (from: number) => `
      u = v128.load(w, ${from * 16}); v = v128.load(w + second, ${from * 16})
      e = v128.or(v128.and(u, bytes), i16x8.shl(v, 8)); o = v128.or(i16x8.shr_u(u, 8), v128.andnot(v, bytes))
      ${['e', 'i16x8.shr_u(e, 4)', 'o', 'i16x8.shr_u(o, 4)']
        .map((codes, i) => {
          const add = (sum: string, offset: number) => {
            const found = `i8x16.swizzle(v128.load(t, ${128 * from + 32 * i + offset}), i)`
            return `${sum} = ${from + i === 0 ? found : `i8x16.add(${sum}, ${found})`}`
          }
          return `i = v128.and(${codes}, nibbles); ${add('l', 0)}; ${add('h', 16)}`
        })
        .join('\n      ')}`

/** Adds byte sums to 16-bit sums: l0 and h0 of u + 256 v, where only the low 16 bits count, and l1 and h1 of v. */
const SPREAD = ['l', 'h']
  .map(
    (sum) => `
      ${sum}0 = i16x8.add(${sum}0, ${sum}); ${sum}1 = i16x8.add(${sum}1, i16x8.shr_u(${sum}, 8))`,
  )
  .join('')

/** Lane `i` of x in all lanes. */
const lane = (i: number) => `i16x8.shuffle(x, x, ${Array(8).fill(i).join(', ')})`

/** The table of the inputs `i` and i + 2 of x: of the 16 numbers first l, then h. */
const table = (i: number, at: number) =>
  `y = ${lane(i + 2)}
    a = i16x8.add(i16x8.add(i16x8.mul(${lane(i)}, first), v128.and(y, second)), offset); b = i16x8.add(a, i16x8.shl(y, 1))
    v128.store(toAt, i8x16.narrow_i16x8_u(v128.and(a, low), v128.and(b, low)), ${at})
    v128.store(toAt, i8x16.narrow_i16x8_u(i16x8.shr_u(a, 5), i16x8.shr_u(b, 5)), ${at + 16})`

/**
 * One row without an 8-bit dot: what each pair of inputs adds is looked up by its two codes, in a table of 16 that a
 * swizzle reads for 16 outputs at once. A number v, |v| <= 508, is 32 h + l - 512 with h and l in 0..31: bytes of eight
 * of them add up without overflow. `tables` needs 16 bytes an input.
 */
export const TABLES = `
const FIRST = memory.data<i16>([0, 1, 2, 0, 0, 1, 2, 0], 16)
const SECOND = memory.data<i16>([0, 0, 0, 0, -1, -1, -1, -1], 16)
const BYTES = memory.data<u16>([255, 255, 255, 255, 255, 255, 255, 255], 16)
const NIBBLES = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16)

/** Tables of a row of codes, in the order of the nibbles of a block: inputs (0, 2), (4, 6), (1, 3), (5, 7). */
function tables(xAt: usize, toAt: usize, blocks: i32): void {
  const first = v128.load(FIRST), second = v128.load(SECOND), low = i16x8.splat(31), offset = i16x8.splat(512)
  for (; blocks > 0; blocks--) {
    const x = i16x8.extend_low_i8x16_s(v128.load64_zero(xAt))
    let y: v128, a: v128, b: v128
    ${[0, 4, 1, 5].map((i, k) => table(i, 32 * k)).join('\n    ')}
    xAt += 8
    toAt += 128
  }
}

/** Sums of one row x 16 outputs into SUMS, from its tables. */
function single(t: usize, w: usize, second: usize, blocks: i32): void {
  const bytes = v128.load(BYTES), nibbles = v128.load(NIBBLES)
  // What the four pairs of every block are 512 too large by.
  const start = i32x4.splat(blocks * -2048)
  ${each(4, (i) => `v128.store(SUMS, start, ${16 * i})`, '  ')}
  while (blocks > 0) {
    let left = min(blocks, ${TABLE_INPUTS / 8})
    blocks -= left
    let l0 = i16x8.splat(0), l1 = i16x8.splat(0), h0 = i16x8.splat(0), h1 = i16x8.splat(0)
    let u: v128, v: v128, e: v128, o: v128, i: v128, l: v128, h: v128
    for (; left > 1; left -= 2) {${lookUp(0)}${lookUp(1)}${SPREAD}
      w += 32
      t += 256
    }
    if (left > 0) {${lookUp(0)}${SPREAD}
    }
    l0 = i16x8.sub(l0, i16x8.shl(l1, 8)); h0 = i16x8.sub(h0, i16x8.shl(h1, 8))
    for (let j: usize = 0; j < 2; j++) {
      const at = SUMS + (j << 5)
      const few = j ? l1 : l0, many = j ? h1 : h0
      const p = i32x4.add(i32x4.extend_low_i16x8_s(few), i32x4.shl(i32x4.extend_low_i16x8_s(many), 5))
      const q = i32x4.add(i32x4.extend_high_i16x8_s(few), i32x4.shl(i32x4.extend_high_i16x8_s(many), 5))
      v128.store(at, i32x4.add(v128.load(at), p))
      v128.store(at, i32x4.add(v128.load(at, 16), q), 16)
    }
  }
}
`
