/**
 * A table added to the rows of every sample: position embeddings of text (as many rows as the text is long) and image.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { fixed, rows } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given, like } from './shared.ts'

/**
 * y[b,r,c] = x[b,r,c] + table[r,c]
 * in   x [B, R, C] f32, table [..., C] f32 with S >= R rows (where R is a symbol, the host keeps it within S)
 * out  y [B, R, C] f32
 * grad dx = dy, dtable = sum of dy over B in the first R rows, zero in the others
 */
export const addRowsOp: Op = {
  name: 'add_rows',
  infer(inputs) {
    const x = given(inputs, 0, 'add_rows')
    const table = given(inputs, 1, 'add_rows')
    requireThat(x.shape.length === 3, 'add_rows', 'x must have shape [B, R, C]', x.shape)
    const [, R, C] = x.shape
    requireThat(table.shape.at(-1) === C, 'add_rows', `table must have ${C} columns`, table.shape)
    const S = fixed(rows(table.shape))
    requireThat(typeof R !== 'number' || S >= R, 'add_rows', `table must have at least ${R} rows`, table.shape)
    return [like(x)]
  },
  reference([x, table], [y]) {
    const [, R, C] = y.shape
    y.data.forEach((_, i) => (y.data[i] = x!.data[i] + table!.data[i % (R * C)]))
  },
  grad: (b, { inputs: [, table] }, [dy], needs) => [
    dy,
    needs[1] ? b.apply(addRowsGradOp, [dy], { shape: JSON.stringify(table!.shape) })[0] : undefined,
  ],
  lower({ inputs: [x, table], outputs: [y] }, to) {
    to.call('add_rows__f32', to.at(x), to.at(table), to.at(y), ...y.shape)
  },
  cases: [
    addRowsCase(1, 1, 1, [1]),
    addRowsCase(2, 3, 7, [5]),
    addRowsCase(3, 7, 33, [7]),
    addRowsCase(2, 17, 128, [1, 17]),
  ],
}

/** dtable of the given shape = sum of dy[B, R, C] over B; rows past R are zero. */
const addRowsGradOp: Op = {
  name: 'add_rows_grad',
  infer: (_inputs, { shape }) => [{ shape: JSON.parse(String(shape)), dtype: 'f32' }],
  reference([dy], [dtable]) {
    const [, R, C] = dy!.shape
    dy!.data.forEach((value, i) => (dtable.data[i % (R * C)] += value))
  },
  lower({ inputs: [dy], outputs: [dtable] }, to) {
    const [B, R, C] = dy!.shape
    to.call('add_rows_grad__f32', to.at(dy), to.at(dtable), B, R, rows(dtable.shape), C)
  },
  cases: [],
}

function addRowsCase(B: number, R: number, C: number, table: number[]) {
  return { name: `b${B}_r${R}_c${C}_s${table.join('x')}`, inputs: [{ shape: [B, R, C] }, { shape: [...table, C] }] }
}

export function addRows(b: Builder, x: Value, table: Value): Value {
  return b.apply(addRowsOp, [x, table])[0]
}
