/**
 * Rows of two tensors one behind the other, sample by sample, and a part cut out again: each is the other's gradient.
 * Pairs of poolings, the slot of the memory behind the image, tokens behind those so far.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Type, Value } from '../graph/graph.ts'
import { times, type Dim } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

/** Elements of `rows` rows of a sample. */
function elementsOf({ shape }: Type, rows: Dim): Dim {
  return times(rows, ...shape.slice(2))
}

/**
 * out[a, r] = x[a, r] for r < N, y[a, r - N] behind
 * in   x [A, N, ...] f32 or i32, y [A, M, ...] of the same type
 * out  [A, N + M, ...]; where N or M is no number, its symbol is the attribute `rows`
 * grad dx, dy: the parts of dout
 */
export const concatOp: Op = {
  name: 'concat',
  infer(inputs, { rows }) {
    const [x, y] = [given(inputs, 0, 'concat'), given(inputs, 1, 'concat')]
    requireThat(x.shape.length >= 2 && x.dtype === y.dtype, 'concat', 'must have two axes or more of one type', x.shape)
    const rest = (type: Type) => [type.shape[0], ...type.shape.slice(2)]
    requireThat(`${rest(x)}` === `${rest(y)}`, 'concat', `y must have [${rest(x)}] beside its rows`, y.shape)
    const [N, M] = [x.shape[1], y.shape[1]]
    const sum = typeof N === 'number' && typeof M === 'number' ? N + M : (rows as Dim)
    requireThat(sum !== '', 'concat', 'must be given a symbol for the number of its rows', [N, M])
    return [{ shape: [x.shape[0], sum, ...x.shape.slice(2)], dtype: x.dtype }]
  },
  reference([x, y], [out]) {
    const A = x!.shape[0]
    const [n, m] = [x!.data.length / A, y!.data.length / A]
    for (let a = 0; a < A; a++) {
      out.data.set(x!.data.subarray(a * n, (a + 1) * n), a * (n + m))
      out.data.set(y!.data.subarray(a * m, (a + 1) * m), a * (n + m) + n)
    }
  },
  grad(b, { inputs: [x, y] }, [dout], needs) {
    const [N, M] = [x!.shape[1], y!.shape[1]]
    const part = (first: Dim, count: Dim) => b.apply(sliceOp, [dout!], { first, count })[0]
    return [needs[0] ? part(0, N) : undefined, needs[1] ? part(N, M) : undefined]
  },
  lower({ inputs: [x, y], outputs: [out] }, to) {
    const sizes = [x!.shape[0], elementsOf(x!, x!.shape[1]), elementsOf(y!, y!.shape[1])]
    to.call('concat__f32', to.at(x), to.at(y), to.at(out), ...sizes)
  },
  cases: [
    { name: 'columns', inputs: [{ shape: [3, 5] }, { shape: [3, 2] }], attributes: { rows: '' } },
    { name: 'rows', inputs: [{ shape: [2, 4, 7] }, { shape: [2, 1, 7] }], attributes: { rows: '' } },
    { name: 'one_sample', inputs: [{ shape: [1, 3, 2, 5] }, { shape: [1, 6, 2, 5] }], attributes: { rows: '' } },
    {
      name: 'i32',
      inputs: [
        { shape: [1, 4], dtype: 'i32', kind: 'ids', max: 9 },
        { shape: [1, 3], dtype: 'i32', kind: 'ids', max: 9 },
      ],
      attributes: { rows: '' },
    },
  ],
}

/**
 * y[a, r] = x[a, first + r]
 * in   x [A, N, ...] f32
 * out  y [A, count, ...] f32
 * grad dx: dy in its place, 0 elsewhere
 */
export const sliceOp: Op = {
  name: 'slice',
  infer(inputs, { count }) {
    const x = given(inputs, 0, 'slice')
    requireThat(x.shape.length >= 2, 'slice', 'must have two axes or more', x.shape)
    return [{ shape: [x.shape[0], count as Dim, ...x.shape.slice(2)], dtype: 'f32' }]
  },
  reference([x], [y], { first }) {
    const A = x!.shape[0]
    const [n, m] = [x!.data.length / A, y.data.length / A]
    // The references know no symbols: only the gradient of concat begins at one, and its part is the last.
    const from = first === 0 ? 0 : typeof first === 'number' ? (first * n) / x!.shape[1] : n - m
    for (let a = 0; a < A; a++) y.data.set(x!.data.subarray(a * n + from, a * n + from + m), a * m)
  },
  grad: (b, { inputs: [x], attributes }, [dy]) => b.apply(sliceGradOp, [dy], { ...attributes, rows: x!.shape[1] }),
  lower({ inputs: [x], outputs: [y], attributes: { first } }, to) {
    const sizes = [x!.shape[0], elementsOf(x!, x!.shape[1]), elementsOf(x!, first as Dim), elementsOf(y, y.shape[1])]
    to.call('slice__f32', to.at(x), to.at(y), ...sizes)
  },
  cases: [
    { name: 'columns', inputs: [{ shape: [3, 7] }], attributes: { first: 2, count: 3 } },
    { name: 'rows', inputs: [{ shape: [2, 5, 9] }], attributes: { first: 4, count: 1 } },
    { name: 'start', inputs: [{ shape: [1, 6, 4] }], attributes: { first: 0, count: 2 } },
  ],
}

/** dx [A, rows, ...]: dy [A, count, ...] from `first` on, 0 elsewhere. */
const sliceGradOp: Op = {
  name: 'slice_grad',
  infer: ([dy], { rows }) => [{ shape: [dy!.shape[0], rows as Dim, ...dy!.shape.slice(2)], dtype: 'f32' }],
  reference([dy], [dx], { first }) {
    const A = dy!.shape[0]
    const [n, m] = [dx.data.length / A, dy!.data.length / A]
    const from = first === 0 ? 0 : typeof first === 'number' ? (first * n) / dx.shape[1] : n - m
    for (let a = 0; a < A; a++) dx.data.set(dy!.data.subarray(a * m, (a + 1) * m), a * n + from)
  },
  lower({ inputs: [dy], outputs: [dx], attributes: { first } }, to) {
    const sizes = [dx.shape[0], elementsOf(dx, dx.shape[1]), elementsOf(dx, first as Dim), elementsOf(dx, dy!.shape[1])]
    to.call('slice_grad__f32', to.at(dy), to.at(dx), ...sizes)
  },
  cases: [],
}

/** x [A, N, ...] with y [A, M, ...] behind each sample -> [A, N + M, ...]; `rows` is the symbol of N + M, if it is one. */
export function concat(b: Builder, x: Value, y: Value, rows = ''): Value {
  return b.apply(concatOp, [x, y], { rows })[0]
}

/** Rows `first` to `first + count` of each sample of x [A, N, ...]. Throws a RangeError where `first` is no number. */
export function slice(b: Builder, x: Value, first: number, count: Dim): Value {
  requireThat(Number.isInteger(first) && first >= 0, 'slice', 'first must be a whole number from 0', first)
  return b.apply(sliceOp, [x], { first, count })[0]
}
