/**
 * Products of f32 with weights that stay int8 codes, one scale a row: a quarter of the memory, and the bits of the
 * product with code * scale in f32, which is what a code stands for (src/quant/rows.ts). Part of matmul_f32.ts, whose
 * panels these fill. Where weights come from a cache, turning codes into numbers costs what reading less saves.
 */
import { each } from '../text.ts'

/** Lanes of a shuffle that interleaves the first, or the second, halves of two vectors of n lanes. */
const interleave = (n: number, half: 0 | 1) =>
  Array.from({ length: n }, (_, i) => (half * n) / 2 + (i >> 1) + (i & 1 ? n : 0)).join(', ')

const bytesOf = (a: string, b: string, half: 0 | 1) => `i8x16.shuffle(${a}, ${b}, ${interleave(16, half)})`
const pairsOf = (a: string, b: string, half: 0 | 1) => `i16x8.shuffle(${a}, ${b}, ${interleave(8, half)})`

/**
 * 8 inputs of four outputs: `use` gets the four numbers of each input. Codes of rows r0..r3 are turned as bytes and then
 * moved to the top byte of their lane: code * 2^24 times scale * 2^-24 is code * scale, rounded once like it (scales are
 * at least 1e-8/127, so both are exact), for fewer shuffles than extending signs takes.
 */
const columns = (use: (column: string, k: number) => string) => {
  const number = (half: 0 | 1) => `f32x4.mul(f32x4.convert_i32x4_s(${pairsOf('zero', 'v', half)}), scale)`
  const four = (a: string, b: string, half: 0 | 1, k: number) => `u = ${pairsOf(a, b, half)}
      v = ${bytesOf('zero', 'u', 0)}; ${use(number(0), k)}; ${use(number(1), k + 1)}
      v = ${bytesOf('zero', 'u', 1)}; ${use(number(0), k + 2)}; ${use(number(1), k + 3)}`
  return `t0 = ${bytesOf('r0', 'r1', 0)}; t1 = ${bytesOf('r2', 'r3', 0)}
      ${four('t0', 't1', 0, 0)}
      ${four('t0', 't1', 1, 4)}`
}

const VARIABLES = 'r0: v128, r1: v128, r2: v128, r3: v128, t0: v128, t1: v128, u: v128, v: v128'
const DOWN = 'f32x4.splat(<f32>(1.0 / 16777216.0))'

/** The part of a panel that four whole rows of codes make, 8 inputs at a time; the rest runs one by one. */
const FOUR_ROWS = `
/** Columns of the panel at \`to\` from four rows of codes, K inputs apart; returns how many inputs it took. */
function four_rows_of_codes(from: usize, scalesAt: usize, to: usize, K: i32): i32 {
  const row = <usize>K
  const zero = i8x16.splat(0), scale = f32x4.mul(v128.load(scalesAt), ${DOWN})
  let k = 0
  for (; k + 8 <= K; k += 8) {
    let ${VARIABLES}
    ${each(4, (r) => `r${r} = v128.load64_zero(from + ${r} * row)`, '    ')}
      ${columns((column, i) => `v128.store(to, ${column}, ${32 * i})`)}
    from += 8
    to += 256
  }
  return k
}
`

/** Outputs of one pass over a single row: four sums of four hide the latency of an addition. */
const SINGLE = 16

const SINGLE_ROW = `
/** y[N] = x[K] . (codes[N,K] * scales[N])^T + bias[N], N >= ${SINGLE}; the last pass overlaps the one before, to the same bits. */
function single_row_of_codes(xAt: usize, codesAt: usize, scalesAt: usize, biasAt: usize, yAt: usize, K: i32, N: i32): void {
  const row = <usize>K
  const whole = row & ~7
  const zero = i8x16.splat(0)
  for (let n = 0; n < N; n += ${SINGLE}) {
    const first = <usize>min(n, N - ${SINGLE})
    const w = codesAt + first * row
    const scales = scalesAt + (first << 2)
    const bias = biasAt + (first << 2)
    const to = yAt + (first << 2)
    ${each(SINGLE / 4, (i) => `let p${i} = biasAt ? v128.load(bias, ${16 * i}) : f32x4.splat(0)`, '    ')}
    for (let k: usize = 0; k < whole; k += 8) {
      const x = xAt + (k << 2), down = ${DOWN}
      let at = w + k, scale: v128, ${VARIABLES}
      ${each(
        SINGLE / 4,
        (i) => `scale = f32x4.mul(v128.load(scales, ${16 * i}), down)
      ${each(4, (r) => `r${r} = v128.load64_zero(at + ${r} * row)`, '      ')}
      ${columns((column, j) => `p${i} = f32x4.add(p${i}, f32x4.mul(v128.load32_splat(x, ${4 * j}), ${column}))`)}
      at += 4 * row`,
        '      ',
      )}
    }
    ${each(SINGLE / 4, (i) => `v128.store(to, p${i}, ${16 * i})`, '    ')}
    for (let k = whole; k < row; k++) {
      for (let j: usize = 0; j < ${SINGLE}; j++) {
        const at = to + (j << 2)
        const number = <f32>load<i8>(w + j * row + k) * load<f32>(scales + (j << 2))
        store<f32>(at, load<f32>(at) + load<f32>(xAt + (k << 2)) * number)
      }
    }
  }
}
`

/** Source of the family; `vector` is false for scalar modules. */
export function int8Rows(vector: boolean, name: (family: string) => string): string {
  return `${vector ? FOUR_ROWS + SINGLE_ROW : ''}
/** Rows of codes [N,K] as panels over N: panel[k][j] = code(n0 + j, k) * scale(n0 + j), zeros past N; as panels_of_rows. */
function panels_of_codes(codesAt: usize, scalesAt: usize, toAt: usize, K: i32, N: i32): void {
  for (let n0 = first; n0 < end; n0 += 8) {
    let done = 0
    for (let j = 0; j < 8; j++) {
      const n = n0 + j
      const real = n < N
      const from = codesAt + <usize>n * <usize>K
      const scale: f32 = real ? load<f32>(scalesAt + (<usize>n << 2)) : 0
      const to = toAt + (<usize>j << 2)${
        vector
          ? `
      if ((j & 3) == 0) done = n + 3 < N ? four_rows_of_codes(from, scalesAt + (<usize>n << 2), to, K) : 0`
          : ''
      }
      for (let k = done; k < K; k++) {
        store<f32>(to + (<usize>k << 5), real ? <f32>load<i8>(from + <usize>k) * scale : 0)
      }
    }
    toAt += <usize>K << 5
  }
}

/** y[M,N] = x[M,K] . (codes[N,K] * scales[N])^T + bias[N] (biasAt 0: none); scratch: a group of panels. */
export function ${name('matmul_nt__f32_i8')}(xAt: usize, codesAt: usize, scalesAt: usize, biasAt: usize, yAt: usize, scratchAt: usize, M: i32, K: i32, N: i32): void {
  split(M, N, ${vector ? `M == 1 ? ${SINGLE} : 8` : '8'})
  ${
    vector
      ? `if (M == 1 && last - first >= ${SINGLE}) {
    const at = <usize>first << 2
    const codes = codesAt + <usize>first * <usize>K
    return single_row_of_codes(xAt, codes, scalesAt + at, biasAt ? biasAt + at : 0, yAt + at, K, last - first)
  }`
      : ''
  }
  while (next_group(K)) {
    if (is_new(N)) panels_of_codes(codesAt, scalesAt, scratchAt, K, N)
    multiply(xAt, scratchAt, biasAt, yAt, K, N)
  }
}
`
}
