/**
 * Position tables for another grid of patches (model.md section 3): bicubic, a = -0.75 (Keys 1981), align_corners
 * false, no antialias, as PyTorch's interpolate. At inference it runs once, at export.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { columns, fixed, type Shape } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

/**
 * y[0] = table[0] (CLS), y[1 + (i, j)] = sum of 4 x 4 neighbours of cell (i, j) in the stored grid, clamped at its border
 * in   table [1, 1+g*g, d] f32
 * out  y [1, 1+grid*grid, d] f32
 * grad dtable = the transposed sum of dy
 */
export const resizePositionsOp: Op = {
  name: 'resize_positions',
  infer(inputs, { grid }) {
    const table = given(inputs, 0, 'resize_positions')
    storedGrid(table.shape)
    return [{ shape: [1, 1 + Number(grid) ** 2, columns(table.shape)], dtype: 'f32' }]
  },
  reference([table], [y], { grid }) {
    eachWeight(
      table!.shape,
      Number(grid),
      (stored, resized, weight) => (y.data[resized] += weight * table!.data[stored]),
    )
  },
  grad: (b, { inputs: [table] }, [dy]) => [
    b.apply(resizePositionsGradOp, [dy], { stored: storedGrid(table!.shape) })[0],
  ],
  lower({ inputs: [table], outputs: [y], attributes }, to) {
    const g = storedGrid(table!.shape)
    to.call('resize_positions__f32', to.at(table), to.at(y), g, Number(attributes.grid), columns(y.shape))
  },
  cases: [resizeCase(1, 3, 1), resizeCase(3, 2, 7), resizeCase(5, 3, 33), resizeCase(4, 7, 3), resizeCase(4, 6, 128)],
}

const resizePositionsGradOp: Op = {
  name: 'resize_positions_grad',
  infer: ([dy], { stored }) => [{ shape: [1, 1 + Number(stored) ** 2, columns(dy!.shape)], dtype: 'f32' }],
  reference([dy], [dtable]) {
    const grid = storedGrid(dy!.shape)
    eachWeight(dtable.shape, grid, (stored, resized, weight) => (dtable.data[stored] += weight * dy!.data[resized]))
  },
  lower({ inputs: [dy], outputs: [dtable], attributes }, to) {
    const grid = storedGrid(dy!.shape)
    const g = Number(attributes.stored)
    to.call('resize_positions_grad__f32', to.at(dy), to.at(dtable), g, grid, columns(dtable.shape))
  },
  cases: [],
}

/** Side of the grid that a table [1, 1+g*g, d] is for. */
function storedGrid(shape: Shape): number {
  const g = Math.round(Math.sqrt(fixed(shape[1]) - 1))
  const ok = shape.length === 3 && shape[0] === 1 && g >= 1 && shape[1] === 1 + g * g
  requireThat(ok, 'resize_positions', 'table must have shape [1, 1+g*g, d]', shape)
  return g
}

/** Weight of a neighbour at distance z in [0, 2]. */
function cubic(z: number): number {
  const a = -0.75
  return z <= 1 ? ((a + 2) * z - (a + 3)) * z * z + 1 : ((a * z - 5 * a) * z + 8 * a) * z - 4 * a
}

/** The 4 neighbours of output i of an axis. */
function neighbours(i: number, g: number, grid: number): { index: number; weight: number }[] {
  const at = ((i + 0.5) * g) / grid - 0.5
  return [-1, 0, 1, 2].map((k) => {
    const index = Math.floor(at) + k
    return { index: Math.min(Math.max(index, 0), g - 1), weight: cubic(Math.abs(at - index)) }
  })
}

/** Visits every pair of elements, of the stored table and of the resized one, that the sum connects. */
function eachWeight(
  table: readonly number[],
  grid: number,
  visit: (stored: number, resized: number, weight: number) => void,
): void {
  const g = storedGrid(table)
  const d = table[2]
  for (let c = 0; c < d; c++) visit(c, c, 1)
  for (let cell = 0; cell < grid * grid; cell++) {
    for (const y of neighbours(Math.floor(cell / grid), g, grid)) {
      for (const x of neighbours(cell % grid, g, grid)) {
        const stored = (1 + y.index * g + x.index) * d
        for (let c = 0; c < d; c++) visit(stored + c, (1 + cell) * d + c, y.weight * x.weight)
      }
    }
  }
}

function resizeCase(g: number, grid: number, d: number) {
  return { name: `g${g}_to${grid}_d${d}`, inputs: [{ shape: [1, 1 + g * g, d] }], attributes: { grid } }
}

/** table [1, 1+g*g, d] -> [1, 1+grid*grid, d]; the table itself where its grid is that already. */
export function resizePositions(b: Builder, table: Value, grid: number): Value {
  if (storedGrid(table.shape) === grid) return table
  return b.apply(resizePositionsOp, [table], { grid })[0]
}
