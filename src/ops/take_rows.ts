/**
 * Rows of a tensor by number: samples that make up pairs, tokens that have a target, one position.
 */
import type { Builder } from '../graph/builder.ts'
import type { CaseInput, Op, Value } from '../graph/graph.ts'
import { times, type Dim } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { elements, given } from './shared.ts'

/**
 * y[r] = x[rows[r]]
 * in   x [N, ...] f32 or i32, rows [R] i32 in [0, N) (whoever makes them sees to that)
 * out  y [R, ...] of the type of x
 * grad dx = sum of dy by row; rows take none
 */
export const takeRowsOp: Op = {
  name: 'take_rows',
  infer(inputs) {
    const [x, rows] = [given(inputs, 0, 'take_rows'), given(inputs, 1, 'take_rows')]
    const isList = rows.dtype === 'i32' && rows.shape.length === 1
    requireThat(isList, 'take_rows', 'rows must be i32 [R]', [rows.dtype, rows.shape])
    return [{ shape: [rows.shape[0], ...x.shape.slice(1)], dtype: x.dtype }]
  },
  reference([x, rows], [y]) {
    const width = x!.data.length / x!.shape[0]
    rows!.data.forEach((row, r) => y.data.set(x!.data.subarray(row * width, (row + 1) * width), r * width))
  },
  grad: (b, { inputs: [x, rows] }, [dy]) => b.apply(takeRowsGradOp, [dy, rows], { N: x!.shape[0] }),
  lower({ inputs: [x, rows], outputs: [y] }, to) {
    to.call('embedding__f32', to.at(x), to.at(rows), to.at(y), elements(rows!), times(...x!.shape.slice(1)))
  },
  cases: [
    takeRowsCase([1, 1], 1),
    takeRowsCase([4, 7], 6),
    takeRowsCase([5, 3, 8], 11),
    { name: 'i32', inputs: [{ shape: [5], dtype: 'i32', kind: 'ids', max: 9 }, rowsInput(8, 5)] },
  ],
}

const takeRowsGradOp: Op = {
  name: 'take_rows_grad',
  infer: ([dy], { N }) => [{ shape: [N as Dim, ...dy!.shape.slice(1)], dtype: 'f32' }],
  reference([dy, rows], [dx]) {
    const width = dy!.data.length / dy!.shape[0]
    dy!.data.forEach((value, i) => (dx.data[rows!.data[Math.floor(i / width)] * width + (i % width)] += value))
  },
  lower({ inputs: [dy, rows], outputs: [dx] }, to) {
    const width = times(...dy!.shape.slice(1))
    to.call('embedding_grad__f32', to.at(dy), to.at(rows), 0, to.at(dx), elements(rows!), dx.shape[0], width)
  },
  cases: [],
}

function rowsInput(R: number, N: number): CaseInput {
  return { shape: [R], dtype: 'i32', kind: 'ids', max: N }
}

function takeRowsCase(shape: number[], R: number): Op['cases'][number] {
  return { name: `x${shape.join('x')}_r${R}`, inputs: [{ shape }, rowsInput(R, shape[0])] }
}

/** Rows of x [N, ...] by number: rows [R] i32 -> [R, ...]. */
export function takeRows(b: Builder, x: Value, rows: Value): Value {
  return b.apply(takeRowsOp, [x, rows])[0]
}
