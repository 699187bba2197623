/**
 * f32 register tiles: c[rows, 8] = init + a[rows, depth] . b[depth, 8], b contiguous in panels of 8 columns. Generated
 * because asc neither unrolls nor keeps arrays in registers. Every element is one sequential sum, so the size of a tile
 * never changes a bit; `madd` rounds once. Of the 16 vector registers of x86-64 engines keep one: 12 sums, 2 of b and 1
 * of a fill the rest in tiles of 6 rows; without madd a product needs one more, hence 5.
 */
import { each } from '../text.ts'

/** How a is walked: `rows`: each row contiguous along depth; `columns`: each depth step contiguous along rows. */
export type Walk = 'rows' | 'columns'

export function gemmTile(rows: number, walk: Walk, madd: boolean): string {
  const fma = (a: string, b: string, c: string) =>
    madd ? `f32x4.relaxed_madd(${a}, ${b}, ${c})` : `f32x4.add(${c}, f32x4.mul(${a}, ${b}))`
  const load = (r: number) => (walk === 'rows' ? `v128.load32_splat(a${r} + i)` : `v128.load32_splat(aAt, ${4 * r})`)
  return `
/** ${rows} x 8 sums over \`depth\`; a steps by aStride bytes ${walk === 'rows' ? 'a row' : 'a depth'}, c and init by theirs a row. */
export function gemm_${walk}_${rows}(aAt: usize, aStride: usize, bAt: usize, depth: i32, initAt: usize, initStride: usize, cAt: usize, cStride: usize): void {
  ${each(rows, (r) => `let p${r} = v128.load(initAt + ${r} * initStride), q${r} = v128.load(initAt + ${r} * initStride, 16)`, '  ')}
  ${walk === 'rows' ? each(rows, (r) => `const a${r} = aAt + ${r} * aStride`, '  ') : ''}
  let i: usize = 0
  const end = <usize>depth << 2
  for (; i < end; i += 4) {
    const b0 = v128.load(bAt), b1 = v128.load(bAt, 16)
    let a: v128
    ${each(rows, (r) => `a = ${load(r)}; p${r} = ${fma('a', 'b0', `p${r}`)}; q${r} = ${fma('a', 'b1', `q${r}`)}`, '    ')}
    ${walk === 'columns' ? 'aAt += aStride' : ''}
    bAt += 32
  }
  ${each(rows, (r) => `v128.store(cAt + ${r} * cStride, p${r}); v128.store(cAt + ${r} * cStride, q${r}, 16)`, '  ')}
}`
}

/** The same arithmetic without vectors, one row at a time. */
export function gemmTileScalar(walk: Walk): string {
  return `
export function gemm_${walk}_1(aAt: usize, aStride: usize, bAt: usize, depth: i32, initAt: usize, initStride: usize, cAt: usize, cStride: usize): void {
  const step: usize = ${walk === 'rows' ? '4' : 'aStride'}
  for (let j: usize = 0; j < 32; j += 4) {
    let sum = load<f32>(initAt + j)
    let a = aAt, b = bAt + j
    for (let i = 0; i < depth; i++) {
      sum += load<f32>(a) * load<f32>(b)
      a += step
      b += 32
    }
    store<f32>(cAt + j, sum)
  }
}`
}

/** Walks all rows of one panel in tiles of `sizes` rows, largest first. Tails in columns go through a temporary tile. */
export function gemmPanel(walk: Walk, sizes: readonly number[]): string {
  const args = (rows: number) => `gemm_${walk}_${rows}(aAt, aStride, bAt, depth, initAt, initStride, cAt, cStride)`
  const advance = (rows: number) => (walk === 'rows' ? `aAt += ${rows} * aStride` : `aAt += ${4 * rows}`)
  const loop = (rows: number) => `
  while (rows >= ${rows}) {
    ${args(rows)}
    ${advance(rows)}
    initAt += ${rows} * initStride
    cAt += ${rows} * cStride
    rows -= ${rows}
  }`
  return `
function panel_${walk}_full(aAt: usize, aStride: usize, bAt: usize, depth: i32, initAt: usize, initStride: usize, cAt: usize, cStride: usize, rows: i32): void {${sizes.map(loop).join('')}
}

/** c[rows, columns] of one panel; fewer than 8 columns are computed whole in TILE and copied. */
function panel_${walk}(aAt: usize, aStride: usize, bAt: usize, depth: i32, initAt: usize, initStride: usize, cAt: usize, cStride: usize, rows: i32, columns: i32): void {
  if (columns == 8) return panel_${walk}_full(aAt, aStride, bAt, depth, initAt, initStride, cAt, cStride, rows)
  for (let r = 0; r < rows; r++) {
    let from = initAt
    if (initStride) {
      memory.copy(TILE, initAt, <usize>columns << 2)
      from = TILE
    }
    gemm_${walk}_1(aAt, aStride, bAt, depth, from, 0, TILE + 32, 0)
    memory.copy(cAt, TILE + 32, <usize>columns << 2)
    ${advance(1)}
    initAt += initStride
    cAt += cStride
  }
}`
}
