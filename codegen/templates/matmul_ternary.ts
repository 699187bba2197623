/**
 * Ternary products: int8 codes x packed 2-bit weights -> exact int32 -> one scale a row (model.md section 2). The block
 * layout of src/abi.ts puts outputs into lanes, so no sum ever crosses lanes. Relaxed: 8-bit dots into 16-bit lanes,
 * codes lie in -127..127, so |pair| <= 2*2*127 = 508 and 64 pairs are safe: widened to 32 bits every 128 inputs. Plain: activations widened once a
 * call into scratch, 16-bit dots into 32-bit lanes. All variants give the same int32, hence the same bits.
 */
import { each } from '../text.ts'

/** Inputs between two widenings of the 16-bit sums: 64 pairs * 508 < 2^15. */
const WIDEN = 128
/** Bytes of activations that all outputs pass over. */
const CACHED_BYTES = 131072

/** Sums of a tile, 6 x 16 i32 at most, lie in scratch. */
const HEAD = `
import { endOf, firstOf, scratch as SUMS } from '../lib/threads'
const MASK = memory.data<u8>([3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3], 16)
`

const PARAMETERS =
  'codesAt: usize, absmaxAt: usize, sumsAt: usize, packedAt: usize, gammaAt: usize, biasAt: usize, yAt: usize, scratchAt: usize, M: i32, K: i32, N: i32'

/** y of up to 16 outputs of one row: (sum - sum of codes) * (gamma * (a/127)) + bias. */
const FINISH = `
function finish(sumsOf: usize, rowSum: i32, scale: f32, biasAt: usize, yAt: usize, columns: i32): void {
  for (let j = 0; j < columns; j++) {
    const at = <usize>j << 2
    let y = <f32>(load<i32>(sumsOf + at) - rowSum) * scale
    if (biasAt) y += load<f32>(biasAt + at)
    store<f32>(yAt + at, y)
  }
}
`

/** Vector form of \`finish\` for full tiles; the same operations a lane. */
const FINISH_VECTOR = `
function finish16(sumsOf: usize, rowSum: i32, scale: f32, biasAt: usize, yAt: usize): void {
  const s = f32x4.splat(scale), r = i32x4.splat(rowSum)
  for (let j: usize = 0; j < 64; j += 16) {
    let y = f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(v128.load(sumsOf + j), r)), s)
    if (biasAt) y = f32x4.add(y, v128.load(biasAt + j))
    v128.store(yAt + j, y)
  }
}
`

function relaxedTile(rows: number): string {
  return `
/** Sums of ${rows} rows x 16 outputs into SUMS; the blocks of outputs 8..15 lie at \`second\` bytes. */
function tile_${rows}(xAt: usize, stride: usize, w: usize, second: usize, blocks: i32): void {
  const mask = v128.load(MASK)
  memory.fill(SUMS, 0, ${rows} * 64)
  ${each(rows, (r) => `let x${r} = xAt + ${r} * stride`, '  ')}
  while (blocks > 0) {
    let left = min(blocks, ${WIDEN / 8})
    blocks -= left
    ${each(rows, (r) => `let p${r} = i16x8.splat(0), q${r} = i16x8.splat(0)`, '    ')}
    for (; left > 0; left--) {
      const u = v128.load(w), v = v128.load(w + second)
      let a: v128, b: v128, x: v128
      ${each(
        4,
        (
          s,
        ) => `a = v128.and(${s ? `i16x8.shr_u(u, ${2 * s})` : 'u'}, mask); b = v128.and(${s ? `i16x8.shr_u(v, ${2 * s})` : 'v'}, mask)
      ${each(rows, (r) => `x = v128.load16_splat(x${r}, ${2 * s}); p${r} = i16x8.add(p${r}, i16x8.relaxed_dot_i8x16_i7x16_s(x, a)); q${r} = i16x8.add(q${r}, i16x8.relaxed_dot_i8x16_i7x16_s(x, b))`, '      ')}`,
        '      ',
      )}
      w += 16
      ${each(rows, (r) => `x${r} += 8`, '      ')}
    }
    ${each(rows, (r) => `widen(SUMS + ${64 * r}, p${r}, q${r})`, '    ')}
  }
}`
}

function plainTile(rows: number): string {
  return `
/** Sums of ${rows} rows x 8 outputs into SUMS + at; activations widened to 16 bits. */
function tile_${rows}(xAt: usize, stride: usize, w: usize, at: usize, blocks: i32): void {
  const mask = v128.load(MASK)
  ${each(rows, (r) => `let x${r} = xAt + ${r} * stride, p${r} = i32x4.splat(0), q${r} = i32x4.splat(0)`, '  ')}
  for (; blocks > 0; blocks--) {
    const u = v128.load(w)
    let v: v128, a: v128, b: v128, x: v128
    ${each(
      4,
      (
        s,
      ) => `v = v128.and(${s ? `i16x8.shr_u(u, ${2 * s})` : 'u'}, mask); a = i16x8.extend_low_i8x16_u(v); b = i16x8.extend_high_i8x16_u(v)
    ${each(rows, (r) => `x = v128.load32_splat(x${r}, ${4 * s}); p${r} = i32x4.add(p${r}, i32x4.dot_i16x8_s(x, a)); q${r} = i32x4.add(q${r}, i32x4.dot_i16x8_s(x, b))`, '    ')}`,
      '    ',
    )}
    w += 16
    ${each(rows, (r) => `x${r} += 16`, '    ')}
  }
  ${each(rows, (r) => `v128.store(SUMS + at + ${64 * r}, p${r}); v128.store(SUMS + at + ${64 * r}, q${r}, 16)`, '  ')}
}`
}

/** Rows of one group of 16 outputs, in tiles of \`sizes\`. */
function rowsLoop(sizes: number[], body: (rows: number) => string): string {
  return sizes
    .map(
      (rows) => `
    for (; m + ${rows} <= end; m += ${rows}) {
      ${body(rows)}
      for (let r = 0; r < ${rows}; r++) {
        const row = m + r
        const scale = gamma * (load<f32>(absmaxAt + (<usize>row << 2)) / 127)
        const to = yAt + ((<usize>row * <usize>N + <usize>n0) << 2)
        const sum = load<i32>(sumsAt + (<usize>row << 2))
        if (columns == 16) finish16(SUMS + (<usize>r << 6), sum, scale, bias, to)
        else finish(SUMS + (<usize>r << 6), sum, scale, bias, to, columns)
      }
    }`,
    )
    .join('')
}

export function matmulTernaryRelaxed(name: (family: string) => string): string {
  return `${HEAD}${FINISH}${FINISH_VECTOR}
@inline function widen(at: usize, p: v128, q: v128): void {
  v128.store(at, i32x4.add(v128.load(at), i32x4.extend_low_i16x8_s(p)))
  v128.store(at, i32x4.add(v128.load(at, 16), i32x4.extend_high_i16x8_s(p)), 16)
  v128.store(at, i32x4.add(v128.load(at, 32), i32x4.extend_low_i16x8_s(q)), 32)
  v128.store(at, i32x4.add(v128.load(at, 48), i32x4.extend_high_i16x8_s(q)), 48)
}
${[6, 3, 1].map(relaxedTile).join('\n')}

export function ${name('matmul_nt__i8_t2')}(${PARAMETERS}): void {
  const gamma = load<f32>(gammaAt)
  const blocks = (K + 7) >> 3
  const stride = <usize>((K + 15) & ~15)
  const blockRow = <usize>blocks << 4
  const first = firstOf(N, 16), past = endOf(N, 16)
  // Rows in blocks that stay in the second-level cache while all outputs pass over them.
  const most = max(1, ${CACHED_BYTES} / <i32>stride / 6) * 6
  for (let m0 = 0; m0 < M; m0 += most) {
  const end = min(M, m0 + most)
  for (let n0 = first; n0 < past; n0 += 16) {
    const columns = min(16, N - n0)
    const w = packedAt + <usize>(n0 >> 3) * blockRow
    // With 8 outputs or fewer left there is no second block: the first is read again and its sums are dropped.
    const second: usize = columns > 8 ? blockRow : 0
    const bias = biasAt ? biasAt + (<usize>n0 << 2) : 0
    let m = m0
    ${rowsLoop([6, 3, 1], (rows) => `tile_${rows}(codesAt + <usize>m * stride, stride, w, second, blocks)`)}
  }
  }
}
`
}

export function matmulTernaryPlain(name: (family: string) => string): string {
  return `${HEAD}${FINISH}${FINISH_VECTOR}
${[4, 1].map(plainTile).join('\n')}

/** Codes of up to 4 rows as 16 bits. */
function widenRows(codesAt: usize, toAt: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = v128.load(codesAt + i)
    v128.store(toAt + (i << 1), i16x8.extend_low_i8x16_s(v))
    v128.store(toAt + (i << 1), i16x8.extend_high_i8x16_s(v), 16)
  }
}

export function ${name('matmul_nt__i8_t2')}(${PARAMETERS}): void {
  const gamma = load<f32>(gammaAt)
  const blocks = (K + 7) >> 3
  const bytes = <usize>((K + 15) & ~15)
  const blockRow = <usize>blocks << 4
  const stride = bytes << 1
  const first = firstOf(N, 16), past = endOf(N, 16)
  let m = 0
  ${[4, 1]
    .map(
      (rows) => `
  for (; m + ${rows} <= M; m += ${rows}) {
    widenRows(codesAt + <usize>m * bytes, scratchAt, ${rows} * bytes)
    for (let n0 = first; n0 < past; n0 += 16) {
      const columns = min(16, N - n0)
      const w = packedAt + <usize>(n0 >> 3) * blockRow
      const bias = biasAt ? biasAt + (<usize>n0 << 2) : 0
      tile_${rows}(scratchAt, stride, w, 0, blocks)
      if (columns > 8) tile_${rows}(scratchAt, stride, w + blockRow, 32, blocks)
      for (let r = 0; r < ${rows}; r++) {
        const row = m + r
        const scale = gamma * (load<f32>(absmaxAt + (<usize>row << 2)) / 127)
        const to = yAt + ((<usize>row * <usize>N + <usize>n0) << 2)
        const sum = load<i32>(sumsAt + (<usize>row << 2))
        if (columns == 16) finish16(SUMS + (<usize>r << 6), sum, scale, bias, to)
        else finish(SUMS + (<usize>r << 6), sum, scale, bias, to, columns)
      }
    }
  }`,
    )
    .join('')}
}
`
}

export function matmulTernaryScalar(name: (family: string) => string): string {
  return `${HEAD}${FINISH}
export function ${name('matmul_nt__i8_t2')}(${PARAMETERS}): void {
  const gamma = load<f32>(gammaAt)
  const blocks = (K + 7) >> 3
  const stride = <usize>((K + 15) & ~15)
  for (let m = 0; m < M; m++) {
    const scale = gamma * (load<f32>(absmaxAt + (<usize>m << 2)) / 127)
    const rowSum = load<i32>(sumsAt + (<usize>m << 2))
    for (let n = firstOf(N), past = endOf(N); n < past; n++) {
      let w = packedAt + (<usize>((n >> 3) * blocks) << 4) + (<usize>(n & 7) << 1)
      let x = codesAt + <usize>m * stride
      let sum = 0
      for (let k = 0; k < blocks; k++) {
        const codes = <i32>load<u16>(w)
        for (let s = 0; s < 4; s++) {
          sum += <i32>load<i8>(x) * ((codes >> (2 * s)) & 3) + <i32>load<i8>(x + 1) * ((codes >> (8 + 2 * s)) & 3)
          x += 2
        }
        w += 16
      }
      store<i32>(SUMS, sum)
      finish(SUMS, rowSum, scale, biasAt ? biasAt + (<usize>n << 2) : 0, yAt + ((<usize>m * <usize>N + <usize>n) << 2), 1)
    }
  }
}
`
}
