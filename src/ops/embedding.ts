/**
 * Rows of a table by id, and the marks of the rows that training has reached. A batch touches few rows of a large
 * vocabulary: rows never marked have no gradient, no moments and no weight decay, so skipping them is the plain
 * update. The gradient then leaves them unwritten, and the optimiser must skip them by the same marks.
 */
import type { Builder } from '../graph/builder.ts'
import type { CaseInput, Op, Value } from '../graph/graph.ts'
import { columns, fixed } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { elements, given } from './shared.ts'

/**
 * y[..., :] = table[ids[...], :]
 * in   table [V, C] f32, ids [...] i32 in [0, V) (the host checks), touched [V] u8 in which every id is marked, or none
 * out  y [..., C] f32
 * grad dtable = sum of dy by id; with `touched` unspecified in rows that are not marked (plain: zero)
 */
export const embeddingOp: Op = {
  name: 'embedding',
  infer(inputs) {
    const table = given(inputs, 0, 'embedding')
    const ids = given(inputs, 1, 'embedding')
    const touched = inputs[2]
    requireThat(table.shape.length === 2, 'embedding', 'table must have shape [V, C]', table.shape)
    requireThat(ids.dtype === 'i32', 'embedding', 'ids must be i32', ids.dtype)
    if (touched) requireMarks('embedding', touched, fixed(table.shape[0]))
    return [{ shape: [...ids.shape, columns(table.shape)], dtype: 'f32' }]
  },
  reference([table, ids], [y]) {
    const C = table!.shape[1]
    ids!.data.forEach((id, n) => y.data.set(table!.data.subarray(id * C, id * C + C), n * C))
  },
  grad(b, { inputs: [table, ids, touched] }, [dy]) {
    return [b.apply(embeddingGradOp, [dy, ids, touched], { V: fixed(table!.shape[0]) })[0]]
  },
  lower({ inputs: [table, ids], outputs: [y] }, to) {
    to.call('embedding__f32', to.at(table), to.at(ids), to.at(y), elements(ids!), columns(y.shape))
  },
  cases: [
    embeddingCase(1, 1, [1, 1], false),
    embeddingCase(5, 7, [2, 3], false),
    embeddingCase(9, 33, [3, 7], true),
    embeddingCase(40, 128, [4, 33], true),
  ],
}

const embeddingGradOp: Op = {
  name: 'embedding_grad',
  infer: ([dy], { V }) => [{ shape: [Number(V), columns(dy!.shape)], dtype: 'f32' }],
  reference([dy, ids], [dtable]) {
    const C = dtable.shape[1]
    dy!.data.forEach((value, i) => (dtable.data[ids!.data[Math.floor(i / C)] * C + (i % C)] += value))
  },
  lower({ inputs: [dy, ids, touched], outputs: [dtable] }, to) {
    const [V, C] = [fixed(dtable.shape[0]), columns(dtable.shape)]
    to.call('embedding_grad__f32', to.at(dy), to.at(ids), to.at(touched), to.at(dtable), elements(ids!), V, C)
  },
  cases: [],
}

/**
 * touched[ids] = 1: the next version of the marks
 * in   touched [V] u8 state, ids [...] i32 in [0, V)
 * out  touched [V] u8, in place
 */
export const markTouchedOp: Op = {
  name: 'mark_touched',
  infer(inputs) {
    const touched = given(inputs, 0, 'mark_touched')
    const ids = given(inputs, 1, 'mark_touched')
    requireMarks('mark_touched', touched, fixed(touched.shape[0]))
    requireThat(ids.dtype === 'i32', 'mark_touched', 'ids must be i32', ids.dtype)
    return [{ shape: touched.shape, dtype: 'u8' }]
  },
  reference([, ids], [touched]) {
    ids!.data.forEach((id) => (touched.data[id] = 1))
  },
  lower({ inputs: [, ids], outputs: [touched] }, to) {
    to.call('mark_touched__u8', to.at(ids), to.at(touched), elements(ids!))
  },
  alias: { 0: 0 },
  updates: true,
  cases: [
    { name: 'v1_n1', inputs: [marks(1, () => false), ids([1], 1)] },
    { name: 'v33_n7', inputs: [marks(33, (v) => v % 3 === 0), ids([7], 33)] },
    { name: 'v40_n33', inputs: [marks(40, () => false), ids([3, 11], 40)] },
  ],
}

function requireMarks(op: string, touched: Value, V: number): void {
  const ok = touched.dtype === 'u8' && touched.shape.length === 1 && touched.shape[0] === V
  requireThat(ok, op, `touched must be u8 of shape [${V}]`, [touched.dtype, touched.shape])
}

function ids(shape: number[], max: number): CaseInput {
  return { shape, dtype: 'i32', kind: 'ids', max }
}

function marks(V: number, mark: (v: number) => boolean): CaseInput {
  return { shape: [V], dtype: 'u8', kind: 'values', values: Array.from({ length: V }, (_, v) => Number(mark(v))) }
}

function embeddingCase(V: number, C: number, shape: number[], touched: boolean) {
  const inputs = [{ shape: [V, C] }, ids(shape, V), touched ? marks(V, () => true) : null]
  return { name: `v${V}_c${C}_n${shape}${touched ? '_touched' : ''}`, inputs }
}

/** table [V,C], ids [...] -> [...,C]. Where the table is trained with marks, `touched` is what markTouched returned. */
export function embedding(b: Builder, table: Value, ids: Value, touched: Value | null = null): Value {
  return b.apply(embeddingOp, [table, ids, touched])[0]
}

/** The marks [V] after the rows of `ids` were marked; once a step, before the embedding that takes the result. */
export function markTouched(b: Builder, touched: Value, ids: Value): Value {
  return b.apply(markTouchedOp, [touched, ids])[0]
}
