/**
 * f32 register tiles: c = init + a[rows,depth] . b[depth,columns] of 8 columns, or 4 at an edge. Generated because asc
 * neither unrolls nor keeps arrays in registers. Every element is one sequential sum, so the size of a tile never
 * changes a bit; `madd` rounds once. Of the 16 vector registers of x86-64 engines keep one: 12 sums, 2 of b and 1 of a
 * fill the rest in tiles of 6 rows; without madd a product needs one more, hence 5.
 */
import { each } from '../text.ts'

/** How a is walked: `rows`: each row contiguous along depth; `columns`: each depth step contiguous along rows. */
export type Walk = 'rows' | 'columns'

const PARAMETERS =
  'aAt: usize, aStride: usize, bAt: usize, bStride: usize, depth: i32, initAt: usize, initStride: usize, cAt: usize, cStride: usize'

/** Heights of tiles for what a full one leaves over, largest first. */
export function heights(full: number): number[] {
  return [full, 3, 1].filter((rows, i) => i === 0 || rows < full)
}

export function gemmTile(rows: number, columns: 4 | 8, walk: Walk, madd: boolean): string {
  const vectors = Array.from({ length: columns / 4 }, (_, v) => v)
  const fma = (a: string, b: string, c: string) =>
    madd ? `f32x4.relaxed_madd(${a}, ${b}, ${c})` : `f32x4.add(${c}, f32x4.mul(${a}, ${b}))`
  const load = (r: number) => (walk === 'rows' ? `v128.load32_splat(a${r} + i)` : `v128.load32_splat(aAt, ${4 * r})`)
  const of = (line: (v: number) => string, separator = '; ') => vectors.map(line).join(separator)
  return `
/** ${rows} x ${columns} sums over \`depth\`; a steps by aStride bytes ${walk === 'rows' ? 'a row' : 'a depth'}, b by its a depth, c and init by theirs a row. */
export function gemm_${walk}_${rows}x${columns}(${PARAMETERS}): void {
  ${each(rows, (r) => `let ${of((v) => `s${r}${v} = v128.load(initAt + ${r} * initStride, ${16 * v})`, ', ')}`, '  ')}
  ${walk === 'rows' ? each(rows, (r) => `const a${r} = aAt + ${r} * aStride`, '  ') : ''}
  let i: usize = 0
  const end = <usize>depth << 2
  for (; i < end; i += 4) {
    const ${of((v) => `b${v} = v128.load(bAt, ${16 * v})`, ', ')}
    let a: v128
    ${each(rows, (r) => `a = ${load(r)}; ${of((v) => `s${r}${v} = ${fma('a', `b${v}`, `s${r}${v}`)}`)}`, '    ')}
    ${walk === 'columns' ? 'aAt += aStride' : ''}
    bAt += bStride
  }
  ${each(rows, (r) => of((v) => `v128.store(cAt + ${r} * cStride, s${r}${v}, ${16 * v})`), '  ')}
}`
}

/** The same arithmetic without vectors, one row at a time. */
export function gemmTileScalar(walk: Walk): string {
  return `
export function gemm_${walk}_1x8(${PARAMETERS}): void {
  const step: usize = ${walk === 'rows' ? '4' : 'aStride'}
  for (let j: usize = 0; j < 32; j += 4) {
    let sum = load<f32>(initAt + j)
    let a = aAt, b = bAt + j
    for (let i = 0; i < depth; i++) {
      sum += load<f32>(a) * load<f32>(b)
      a += step
      b += bStride
    }
    store<f32>(cAt + j, sum)
  }
}`
}

/** Walks all rows of one panel in tiles of `sizes` rows, largest first. Tails in columns go through a temporary tile. */
export function gemmPanel(walk: Walk, sizes: readonly number[]): string {
  const args = (rows: number) =>
    `gemm_${walk}_${rows}x8(aAt, aStride, bAt, 32, depth, initAt, initStride, cAt, cStride)`
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

/** c[rows, columns] of one panel; fewer than 8 columns are computed whole in scratch and copied. */
function panel_${walk}(aAt: usize, aStride: usize, bAt: usize, depth: i32, initAt: usize, initStride: usize, cAt: usize, cStride: usize, rows: i32, columns: i32): void {
  if (columns == 8) return panel_${walk}_full(aAt, aStride, bAt, depth, initAt, initStride, cAt, cStride, rows)
  for (let r = 0; r < rows; r++) {
    let from = initAt
    if (initStride) {
      memory.copy(scratch, initAt, <usize>columns << 2)
      from = scratch
    }
    gemm_${walk}_1x8(aAt, aStride, bAt, 32, depth, from, 0, scratch + 32, 0)
    memory.copy(cAt, scratch + 32, <usize>columns << 2)
    ${advance(1)}
    initAt += initStride
    cAt += cStride
  }
}`
}
