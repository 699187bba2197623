/**
 * Patch tokens averaged in 4 x 4 cells: the pool of the image feature that keeps where things are (model.md section 5).
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { columns, fixed } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

/** Cells a side. */
const CELLS = 4

/**
 * y[b, (u*4+v)*C + c] = mean of x[b, 1+i*G+j, c] over the (G/4)^2 tokens with i*4/G = u, j*4/G = v, rounded down
 * in   x [B, 1+G*G, C] f32, the first row (CLS) left out; 4 divides G
 * out  y [B, 16*C] f32
 * grad dx[b, 1+i*G+j] = dy of its cell / (G/4)^2, zero in the first row
 */
export const gridPoolOp: Op = {
  name: 'grid_pool',
  infer(inputs) {
    const x = given(inputs, 0, 'grid_pool')
    requireThat(x.shape.length === 3, 'grid_pool', 'x must have shape [B, 1+G*G, C]', x.shape)
    const G = side(fixed(x.shape[1]))
    requireThat(G >= CELLS && G % CELLS === 0, 'grid_pool', 'x must have 1+G*G rows, G a multiple of 4', x.shape)
    return [{ shape: [x.shape[0], CELLS * CELLS * columns(x.shape)], dtype: 'f32' }]
  },
  reference([x], [y]) {
    const [B, T, C] = x!.shape
    forEachToken(B, T, (token, cell, share) => {
      for (let c = 0; c < C; c++) y.data[cell * C + c] += x!.data[token * C + c] * share
    })
  },
  grad: (b, { inputs: [x] }, [dy]) => [b.apply(gridPoolGradOp, [dy], { T: fixed(x!.shape[1]) })[0]],
  lower({ inputs: [x], outputs: [y] }, to) {
    const [B, T, C] = x!.shape
    to.call('grid_pool__f32', to.at(x), to.at(y), B, side(fixed(T)), C)
  },
  cases: [
    { name: 'b1_g4_c1', inputs: [{ shape: [1, 17, 1] }] },
    { name: 'b3_g8_c7', inputs: [{ shape: [3, 65, 7] }] },
    { name: 'b2_g4_c128', inputs: [{ shape: [2, 17, 128] }] },
    { name: 'b1_g12_c33', inputs: [{ shape: [1, 145, 33] }] },
  ],
}

/** dx[B,T,C]: every token its share of dy[B,16*C] of its cell, zero for the first. */
const gridPoolGradOp: Op = {
  name: 'grid_pool_grad',
  infer: ([dy], { T }) => [{ shape: [dy!.shape[0], Number(T), columns(dy!.shape) / CELLS ** 2], dtype: 'f32' }],
  reference([dy], [dx]) {
    const [B, T, C] = dx.shape
    forEachToken(B, T, (token, cell, share) => {
      for (let c = 0; c < C; c++) dx.data[token * C + c] = dy!.data[cell * C + c] * share
    })
  },
  lower({ inputs: [dy], outputs: [dx] }, to) {
    const [B, T, C] = dx.shape
    to.call('grid_pool_grad__f32', to.at(dy), to.at(dx), B, side(fixed(T)), C)
  },
  cases: [],
}

/** G of 1+G*G rows; not whole where there is none. */
function side(T: number): number {
  return Math.sqrt(T - 1)
}

/** Calls `visit` with the row of every patch token in x, the row of its cell in y, and its weight there. */
function forEachToken(B: number, T: number, visit: (token: number, cell: number, share: number) => void): void {
  const G = side(T)
  const width = G / CELLS
  for (let b = 0; b < B; b++) {
    for (let p = 0; p < G * G; p++) {
      const u = Math.floor(Math.floor(p / G) / width)
      const v = Math.floor((p % G) / width)
      visit(b * T + 1 + p, (b * CELLS + u) * CELLS + v, 1 / (width * width))
    }
  }
}

export function gridPool(b: Builder, x: Value): Value {
  return b.apply(gridPoolOp, [x])[0]
}
