/**
 * Ternary products: int8 codes x packed 2-bit weights -> exact int32 -> one scale a row (model.md section 2). Here are
 * the loops over rows and outputs, and the scalar form; tiles of several rows stand in ternary_panels.ts, their heights
 * come from targets/; one row alone, in ternary_rows.ts. Of two relaxed forms the device times whose dots are faster. All
 * give the same int32, hence the same bits.
 */
import { DOTS_I16, DOTS_I32, dotTile, pairTile, UNPACK_FOURS, UNPACK_PAIRS } from './ternary_panels.ts'
import { SINGLE_I16, SINGLE_I32, TABLES } from './ternary_rows.ts'
import { trialLoop } from './trial_loop.ts'

/** Bytes of activations that all outputs pass over. */
const CACHED_BYTES = 131072

/** Sums of a tile, 8 x 16 i32 at most, lie in scratch. */
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

/** Vector forms of `finish` for 8 and 16 outputs: sums in registers, and in memory; the same operations a lane. */
const FINISH_VECTOR = `
@inline function finish8(s0: v128, s1: v128, scale: v128, biasAt: usize, yAt: usize): void {
  let y0 = f32x4.mul(f32x4.convert_i32x4_s(s0), scale), y1 = f32x4.mul(f32x4.convert_i32x4_s(s1), scale)
  if (biasAt) { y0 = f32x4.add(y0, v128.load(biasAt)); y1 = f32x4.add(y1, v128.load(biasAt, 16)) }
  v128.store(yAt, y0); v128.store(yAt, y1, 16)
}

@inline function finish16(s0: v128, s1: v128, s2: v128, s3: v128, scale: f32, biasAt: usize, yAt: usize): void {
  const s = f32x4.splat(scale)
  finish8(s0, s1, s, biasAt, yAt)
  finish8(s2, s3, s, biasAt ? biasAt + 32 : 0, yAt + 32)
}

function finishSums(sumsOf: usize, rowSum: i32, scale: f32, biasAt: usize, yAt: usize, columns: i32): void {
  if (columns < 16) return finish(sumsOf, rowSum, scale, biasAt, yAt, columns)
  const r = i32x4.splat(rowSum)
  const s0 = i32x4.sub(v128.load(sumsOf), r), s1 = i32x4.sub(v128.load(sumsOf, 16), r)
  finish16(s0, s1, i32x4.sub(v128.load(sumsOf, 32), r), i32x4.sub(v128.load(sumsOf, 48), r), scale, biasAt, yAt)
}
`

const HELPERS = `${HEAD}${FINISH}${FINISH_VECTOR}`

/** Sizes that all vector forms need. */
const SIZES = `const gamma = load<f32>(gammaAt)
  const blocks = (K + 7) >> 3
  const stride = <usize>((K + 15) & ~15)
  const blockRow = <usize>blocks << 4
  const yStride = <usize>N << 2
  const first = firstOf(N, 16), past = endOf(N, 16)`

/** What stands for 16 outputs from n0 on. With 8 or fewer left there is no second block: the first stands for it. */
const OUTPUTS = `const columns = min(16, N - n0)
      const w = packedAt + <usize>(n0 >> 3) * blockRow
      const second: usize = columns > 8 ? blockRow : 0
      const bias = biasAt ? biasAt + (<usize>n0 << 2) : 0`

/** Rows that stay in the second-level cache while all outputs pass over them. */
const rowsCached = (rows: number) => `max(1, ${CACHED_BYTES} / <i32>stride / ${rows}) * ${rows}`

/** What multiplies rows over a panel, and what multiplies one row alone. */
interface Form {
  /** `unpack` and the tiles, by their heights: the full one, and of fewer rows what rows left over take. */
  unpack: string
  heights: readonly number[]
  tile: (rows: number) => string
  single: string
  /** What `single` reads in place of the codes. */
  from?: (codesAt: string) => string
}

/** Rows in tiles over panels, then those left over one by one. */
function panelProduct(name: string, form: Form): string {
  const { unpack, heights, tile, single, from = (codesAt: string) => `const x = ${codesAt}` } = form
  return `${HELPERS}${unpack}
${heights.map(tile).join('')}${single}
export function ${name}(${PARAMETERS}): void {
  ${SIZES}
  // For 3 rows a panel costs more than it saves.
  const tiled = M < 4 ? 0 : M - ${heights.reduce((left, rows) => `${left} % ${rows}`, 'M')}
  const most = ${rowsCached(heights[0])}
  for (let m0 = 0; m0 < tiled; m0 += most) {
    const end = min(tiled, m0 + most)
    for (let n0 = first; n0 < past; n0 += 16) {
      ${OUTPUTS}
      unpack(w, second, scratchAt, blocks)
      let m = m0, to = yAt + <usize>m0 * yStride + (<usize>n0 << 2)
      ${heights
        .map(
          (rows) => `for (; m + ${rows} <= end; m += ${rows}) {
        const at = <usize>m << 2
        tile_${rows}(codesAt + <usize>m * stride, stride, absmaxAt + at, sumsAt + at, scratchAt, gammaAt, bias, to, yStride, blocks, columns)
        to += ${rows} * yStride
      }`,
        )
        .join('\n      ')}
    }
  }
  for (let m = tiled; m < M; m++) {
    ${from('codesAt + <usize>m * stride')}
    const scale = gamma * (load<f32>(absmaxAt + (<usize>m << 2)) / 127)
    const sum = load<i32>(sumsAt + (<usize>m << 2))
    for (let n0 = first; n0 < past; n0 += 16) {
      ${OUTPUTS}
      single(x, w, second, blocks)
      finishSums(SUMS, sum, scale, bias, yAt + <usize>m * yStride + (<usize>n0 << 2), columns)
    }
  }
}
`
}

/** Tiles of relaxed dots: the full one, and lower ones for rows left over. */
const heights = (rows: number) => [rows, ...[5, 4, 3].filter((height) => height < rows)]

/** 8-bit dots into 16-bit lanes, in tiles of `rows` x 8 outputs. */
export function matmulTernaryI16(name: (family: string) => string, rows: number): string {
  const product = panelProduct(name('matmul_nt__i8_t2'), {
    unpack: UNPACK_FOURS,
    heights: heights(rows),
    tile: (height) => dotTile(height, DOTS_I16),
    single: SINGLE_I16,
    from: (codesAt) => `doublePairs(${codesAt}, scratchAt, blocks)
    const x = scratchAt`,
  })
  return `${product}${trialLoop(DOTS_I16)}`
}

/** 16-bit dots of pairs of outputs, in tiles of `rows` x 16 outputs, rows <= 8; rows left over by tables. */
export function matmulTernaryPlain(name: (family: string) => string, rows: number): string {
  return panelProduct(name('matmul_nt__i8_t2'), {
    unpack: UNPACK_PAIRS,
    heights: [rows],
    tile: pairTile,
    single: TABLES,
    from: (codesAt) => `tables(${codesAt}, scratchAt, blocks)
    const x = scratchAt`,
  })
}

/** 8-bit dots into 32-bit lanes, in tiles of `rows` x 8 outputs. */
export function matmulTernaryI32(name: (family: string) => string, rows: number): string {
  const product = panelProduct(name('matmul_nt__i8_t2'), {
    unpack: UNPACK_FOURS,
    heights: heights(rows),
    tile: (height) => dotTile(height, DOTS_I32),
    single: SINGLE_I32,
  })
  return `${product}${trialLoop(DOTS_I32)}`
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
