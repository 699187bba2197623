/**
 * Cross-entropy of rows against a tied vocabulary head, with label smoothing (model.md sections 7 and 8; Szegedy et al.,
 * arXiv 1512.00567). Head and loss are one op, computed in blocks of the vocabulary, so that never all logits are in
 * memory; the gradient computes them again (as in Cut Your Losses, arXiv 2411.09009).
 */
import type { Builder } from '../graph/builder.ts'
import type { Lowering, Op, Tensor, Value } from '../graph/graph.ts'
import { exp, log } from '../base/math.ts'
import { requireThat } from '../base/errors.ts'
import { fixed, times, type Dim } from '../base/shape.ts'
import { panelBytes, tnPanelBytes } from './matmul.ts'
import { given, like } from './shared.ts'

/** Columns of a block: logits of a thousand rows are 4 MB. */
const BLOCK = 1024

/**
 * logits = rows . table^T; a row: nll = logsumexp(logits) - logits[target],
 * loss = (1 - smoothing) * nll + smoothing * mean over V of (logsumexp(logits) - logits)
 * in   rows [R, C] f32, table [V, C] f32, targets [R] i32 in [0, V) (the host checks)
 * out  loss [1], nll [1], hits [1] f32: means over rows (hits: share of rows whose largest logit is the target's, the
 *      first of equal ones); state [R, 5] f32 for the gradient: largest logit, sum of exp(logit - largest), logit of the
 *      target, sum of logits, hit
 * grad of loss: dlogits = (softmax - (1 - smoothing) * [target] - smoothing / V) / R, drows = dlogits . table,
 *      dtable = dlogits^T . rows
 */
export const vocabularyLossOp: Op = {
  name: 'vocabulary_loss',
  infer(inputs) {
    const where = 'vocabulary_loss'
    const [rows, table, targets] = [0, 1, 2].map((i) => given(inputs, i, where))
    requireThat(rows.shape.length === 2, where, 'rows must have shape [R, C]', rows.shape)
    const fits = table.shape.length === 2 && table.shape[1] === rows.shape[1]
    requireThat(fits, where, `table must have ${rows.shape[1]} columns`, table.shape)
    const isList = targets.dtype === 'i32' && `${targets.shape}` === `${rows.shape[0]}`
    requireThat(isList, where, `targets must be i32 [${rows.shape[0]}]`, [targets.dtype, targets.shape])
    const one = { shape: [1], dtype: 'f32' } as const
    return [one, one, one, { shape: [rows.shape[0], 5], dtype: 'f32' }]
  },
  reference([rows, table, targets], [loss, nll, hits, state], { smoothing }) {
    const R = rows!.shape[0]
    logitsOf(rows!, table!).forEach((logits, r) => {
      const most = Math.max(...logits)
      const sum = logits.reduce((total, logit) => total + exp(logit - most), 0)
      const total = logits.reduce((all, logit) => all + logit, 0)
      const target = targets!.data[r]
      const own = log(sum) + most - logits[target]
      const hit = Number(logits.indexOf(most) === target)
      nll.data[0] += own / R
      loss.data[0] += (own + Number(smoothing) * (logits[target] - total / logits.length)) / R
      hits.data[0] += hit / R
      state.data.set([most, sum, logits[target], total, hit], 5 * r)
    })
  },
  grad(b, { inputs: [rows, table, targets], outputs, attributes }, [dloss, ...others]) {
    const none = others.every((gradient) => gradient === undefined)
    requireThat(none, 'vocabulary_loss', 'only loss must take a gradient')
    return b.apply(vocabularyLossGradOp, [dloss, rows, table, targets, outputs[3]], attributes)
  },
  lower({ inputs: [rows, table, targets], outputs: [loss, nll, hits, state], attributes }, to) {
    const R = rows!.shape[0]
    eachBlock(to, rows!, table!, Number(attributes.block), (logits, first, count) => {
      to.call('vocabulary_scan__f32', logits, to.at(targets), to.at(state), R, first, count)
    })
    const results = [state, loss, nll, hits].map((value) => to.at(value))
    to.call('vocabulary_loss__f32', ...results, R, table!.shape[0], Number(attributes.smoothing))
  },
  macs: ({ inputs: [rows, table] }) => times(...rows!.shape, table!.shape[0]),
  cases: [
    lossCase(1, 3, 2, 0, 4),
    lossCase(4, 8, 7, 0.1, 3),
    lossCase(7, 33, 40, 0.1, 16),
    lossCase(9, 16, 21, 0.25, BLOCK),
  ],
}

const vocabularyLossGradOp: Op = {
  name: 'vocabulary_loss_grad',
  infer: ([, rows, table]) => [like(rows!), like(table!)],
  reference([dloss, rows, table, targets], [drows, dtable], { smoothing }) {
    const [R, C] = rows!.shape
    const s = Number(smoothing)
    logitsOf(rows!, table!).forEach((logits, r) => {
      const most = Math.max(...logits)
      const sum = logits.reduce((total, logit) => total + exp(logit - most), 0)
      logits.forEach((logit, v) => {
        const wanted = (v === targets!.data[r] ? 1 - s : 0) + s / logits.length
        const d = ((exp(logit - most) / sum - wanted) * dloss!.data[0]) / R
        for (let c = 0; c < C; c++) {
          drows.data[r * C + c] += d * table!.data[v * C + c]
          dtable.data[v * C + c] += d * rows!.data[r * C + c]
        }
      })
    })
  },
  lower({ inputs: [dloss, rows, table, targets, state], outputs: [drows, dtable], attributes }, to) {
    const [V, C] = table!.shape.map(fixed)
    const R = rows!.shape[0]
    const width = Math.min(V, Number(attributes.block))
    const part = V > width ? to.scratch(times(R, C, 4)) : to.at(drows)
    const panel = to.scratch(Math.max(Number(panelBytes(C, width)), tnPanelBytes(C)))
    eachBlock(to, rows!, table!, Number(attributes.block), (logits, first, count) => {
      const given = [to.at(targets), to.at(state), to.at(dloss), R, first, count, V, Number(attributes.smoothing)]
      to.call('vocabulary_loss_grad__f32', logits, ...given)
      const at = first * C * 4
      to.call('matmul_nn__f32', logits, to.at(table, at), first === 0 ? to.at(drows) : part, panel, R, C, count)
      if (first > 0) to.call('add__f32', to.at(drows), part, to.at(drows), times(R, C))
      to.call('matmul_tn__f32', logits, to.at(rows), to.at(dtable, at), panel, R, C, count)
    })
  },
  macs: ({ inputs: [, rows, table] }) => times(3, ...rows!.shape, table!.shape[0]),
  cases: [],
}

/** Calls `visit` behind the product that makes the logits [R, count] of each block of columns, in order. */
function eachBlock(
  to: Lowering,
  rows: Value,
  table: Value,
  block: number,
  visit: (logits: ReturnType<Lowering['at']>, first: number, count: number) => void,
): void {
  const [V, C] = table.shape.map(fixed)
  const R: Dim = rows.shape[0]
  const width = Math.min(V, block)
  const logits = to.scratch(times(R, width, 4))
  const panel = to.scratch(panelBytes(width, C))
  for (let first = 0; first < V; first += width) {
    const count = Math.min(width, V - first)
    to.call('matmul_nt__f32', to.at(rows), to.at(table, first * C * 4), 0, logits, panel, R, C, count)
    visit(logits, first, count)
  }
}

function logitsOf(rows: Tensor, table: Tensor): number[][] {
  const [R, C] = rows.shape
  return Array.from({ length: R }, (_, r) =>
    Array.from({ length: table.shape[0] }, (_, v) => {
      let sum = 0
      for (let c = 0; c < C; c++) sum += rows.data[r * C + c] * table.data[v * C + c]
      return sum
    }),
  )
}

function lossCase(R: number, V: number, C: number, smoothing: number, block: number): Op['cases'][number] {
  const targets = { shape: [R], dtype: 'i32', kind: 'ids', max: V } as const
  return {
    name: `r${R}_v${V}_c${C}_s${smoothing}`,
    inputs: [{ shape: [R, C] }, { shape: [V, C] }, { ...targets, shape: [R] }],
    attributes: { smoothing, block },
  }
}

/** Losses [1] of rows [R,C] whose products with the table [V,C] are logits; the gradient flows through `loss` alone. */
export function vocabularyLoss(b: Builder, rows: Value, table: Value, targets: Value, smoothing: number) {
  const [loss, nll, hits] = b.apply(vocabularyLossOp, [rows, table, targets], { smoothing, block: BLOCK })
  return { loss, nll, hits }
}
