/**
 * Ternary products: int8 codes x packed 2-bit weights -> exact int32 -> one scale a row (model.md section 2). Here are
 * the loops over rows and outputs, and the scalar form; register tiles stand in ternary_tiles.ts, their heights come from
 * targets/. Of two relaxed forms the device times which is faster. All give the same int32, hence the same bits.
 */
import { i16Tile, i32Tile, plainTile, TABLE_TILE, WIDEN_SUMS } from './ternary_tiles.ts'

/** Bytes of activations that all outputs pass over. */
const CACHED_BYTES = 131072

const head = (rows: number) => `
const SUMS = memory.data(${rows} * 16 * 4, 16)
const OUT = memory.data(16 * 4, 16)
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

/** Heights of tiles: the full one, and those of the rows left over. */
const heights = (rows: number) => [rows, 3, 1].filter((height, i) => i === 0 || height < rows)

/** Finishes the rows of a tile from row m on. */
const finishRows = (rows: number) => `for (let r = 0; r < ${rows}; r++) {
        const row = m + r
        const scale = gamma * (load<f32>(absmaxAt + (<usize>row << 2)) / 127)
        const to = yAt + ((<usize>row * <usize>N + <usize>n0) << 2)
        const sum = load<i32>(sumsAt + (<usize>row << 2))
        if (columns == 16) finish16(SUMS + (<usize>r << 6), sum, scale, bias, to)
        else finish(SUMS + (<usize>r << 6), sum, scale, bias, to, columns)
      }`

/** The sums of 16 outputs by two tiles of 8, of which the second is left out where there are no more than 8. */
const twoTiles = (rows: number, xAt: string) => `tile_${rows}(${xAt}, stride, w, 0, blocks)
      if (columns > 8) tile_${rows}(${xAt}, stride, w + blockRow, 32, blocks)`

function relaxed(name: (family: string) => string, rows: number, tiles: string, call: typeof twoTiles): string {
  return `${head(rows)}${FINISH}${FINISH_VECTOR}${tiles}

export function ${name('matmul_nt__i8_t2')}(${PARAMETERS}): void {
  const gamma = load<f32>(gammaAt)
  const blocks = (K + 7) >> 3
  const stride = <usize>((K + 15) & ~15)
  const blockRow = <usize>blocks << 4
  // Rows in blocks that stay in the second-level cache while all outputs pass over them.
  const most = max(1, ${CACHED_BYTES} / <i32>stride / ${rows}) * ${rows}
  for (let m0 = 0; m0 < M; m0 += most) {
  const end = min(M, m0 + most)
  for (let n0 = 0; n0 < N; n0 += 16) {
    const columns = min(16, N - n0)
    const w = packedAt + <usize>(n0 >> 3) * blockRow
    // With 8 outputs or fewer left there is no second block: the first is read again and its sums are dropped.
    const second: usize = columns > 8 ? blockRow : 0
    const bias = biasAt ? biasAt + (<usize>n0 << 2) : 0
    let m = m0${heights(rows)
      .map(
        (height) => `
    for (; m + ${height} <= end; m += ${height}) {
      ${call(height, 'codesAt + <usize>m * stride')}
      ${finishRows(height)}
    }`,
      )
      .join('')}
  }
  }
}
`
}

/** 8-bit dots into 16-bit lanes, in tiles of `rows` x 16 outputs. */
export function matmulTernaryI16(name: (family: string) => string, rows: number): string {
  const tiles = WIDEN_SUMS + heights(rows).map(i16Tile).join('\n')
  return relaxed(name, rows, tiles, (height, xAt) => `tile_${height}(${xAt}, stride, w, second, blocks)`)
}

/** 8-bit dots into 32-bit lanes, in tiles of `rows` x 8 outputs. */
export function matmulTernaryI32(name: (family: string) => string, rows: number): string {
  return relaxed(name, rows, heights(rows).map(i32Tile).join('\n'), twoTiles)
}

/** 16-bit dots in tiles of `rows` x 8 outputs, rows <= 8 for their place in scratch; rows left over by tables. */
export function matmulTernaryPlain(name: (family: string) => string, rows: number): string {
  return `${head(rows)}${FINISH}${FINISH_VECTOR}${plainTile(rows)}
${TABLE_TILE}
/** Codes of ${rows} rows as 16 bits. */
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
  let m = 0
  for (; m + ${rows} <= M; m += ${rows}) {
    widenRows(codesAt + <usize>m * bytes, scratchAt, ${rows} * bytes)
    for (let n0 = 0; n0 < N; n0 += 16) {
      const columns = min(16, N - n0)
      const w = packedAt + <usize>(n0 >> 3) * blockRow
      const bias = biasAt ? biasAt + (<usize>n0 << 2) : 0
      ${twoTiles(rows, 'scratchAt')}
      ${finishRows(rows)}
    }
  }
  for (; m < M; m++) {
    tables(codesAt + <usize>m * bytes, scratchAt, blocks)
    for (let n0 = 0; n0 < N; n0 += 16) {
      const columns = min(16, N - n0)
      const bias = biasAt ? biasAt + (<usize>n0 << 2) : 0
      tile_1(scratchAt, packedAt + <usize>(n0 >> 3) * blockRow, columns > 8 ? blockRow : 0, blocks)
      ${finishRows(1)}
    }
  }
}
`
}

export function matmulTernaryScalar(name: (family: string) => string): string {
  return `${head(1)}${FINISH}
export function ${name('matmul_nt__i8_t2')}(${PARAMETERS}): void {
  const gamma = load<f32>(gammaAt)
  const blocks = (K + 7) >> 3
  const stride = <usize>((K + 15) & ~15)
  for (let m = 0; m < M; m++) {
    const scale = gamma * (load<f32>(absmaxAt + (<usize>m << 2)) / 127)
    const rowSum = load<i32>(sumsAt + (<usize>m << 2))
    for (let n = 0; n < N; n++) {
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
      store<i32>(OUT, sum)
      finish(OUT, rowSum, scale, biasAt ? biasAt + (<usize>n << 2) : 0, yAt + ((<usize>m * <usize>N + <usize>n) << 2), 1)
    }
  }
}
`
}
