/**
 * Cross-entropy over a few classes: the loss of image-text matching (model.md section 8), where some pairs have no
 * label. A vocabulary has an op of its own, which never holds all of its logits.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Tensor, Value } from '../graph/graph.ts'
import { exp, log } from '../base/math.ts'
import { columns } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given, like } from './shared.ts'

/**
 * loss = mean over rows with a label in 0..K-1 of logsumexp(logits_n) - logits_n,label; 0 without such a row
 * in   logits [N,K] f32, labels [N] i32 - the class, or -1 in a row that does not count
 * out  loss [1] f32
 * grad dlogits = (softmax - one-hot label) * dloss / rows that count, 0 in the others
 */
export const crossEntropyOp: Op = {
  name: 'cross_entropy',
  infer(inputs) {
    const logits = given(inputs, 0, 'cross_entropy')
    const labels = given(inputs, 1, 'cross_entropy')
    requireThat(logits.shape.length === 2, 'cross_entropy', 'logits must have shape [N, K]', logits.shape)
    const [N] = logits.shape
    requireThat(labels.shape[0] === N, 'cross_entropy', `labels must have shape [${N}]`, labels.shape)
    return [{ shape: [1], dtype: 'f32' }]
  },
  reference([logits, labels], [loss]) {
    const rows = labelledRows(logits!, labels!)
    const total = rows.reduce((sum, { row, label }) => sum - log(softmax(row)[label]), 0)
    loss.data[0] = total / Math.max(1, rows.length)
  },
  grad: (b, { inputs: [logits, labels] }, [dloss]) => [b.apply(crossEntropyGradOp, [dloss, logits, labels])[0]],
  lower({ inputs: [logits, labels], outputs: [loss] }, to) {
    const [N] = logits!.shape
    to.call('cross_entropy__f32', to.at(logits), to.at(labels), to.at(loss), N, columns(logits!.shape))
  },
  cases: [
    crossEntropyCase('one', 2, [1]),
    crossEntropyCase('one_class', 1, [0, 0]),
    crossEntropyCase('matching', 2, [1, 1, 1, 0, -1, 0, -1, 0, 0]),
    crossEntropyCase('classes', 33, [32, 0, -1, 7, 33, 15, 16]),
    crossEntropyCase('none_counts', 2, [-1, -1, -1]),
  ],
}

/** dlogits [N,K] for one incoming number. */
const crossEntropyGradOp: Op = {
  name: 'cross_entropy_grad',
  infer: ([, logits]) => [like(logits!)],
  reference([dloss, logits, labels], [dlogits]) {
    const K = logits!.shape[1]
    const rows = labelledRows(logits!, labels!)
    for (const { n, row, label } of rows) {
      softmax(row).forEach((share, k) => {
        dlogits.data[n * K + k] = ((share - (k === label ? 1 : 0)) * dloss!.data[0]) / rows.length
      })
    }
  },
  lower({ inputs: [dloss, logits, labels], outputs: [dlogits] }, to) {
    const addresses = [dloss, logits, labels, dlogits].map((value) => to.at(value))
    to.call('cross_entropy_grad__f32', ...addresses, logits!.shape[0], columns(logits!.shape))
  },
  cases: [],
}

/** The rows that count, with their labels. */
function labelledRows(logits: Tensor, labels: Tensor): { n: number; row: Float64Array; label: number }[] {
  const [N, K] = logits.shape
  const all = Array.from({ length: N }, (_, n) => {
    return { n, row: logits.data.subarray(n * K, n * K + K), label: labels.data[n] }
  })
  return all.filter(({ label }) => label >= 0 && label < K)
}

function softmax(row: Float64Array): Float64Array {
  const most = Math.max(...row)
  const exponentials = row.map((logit) => exp(logit - most))
  const total = exponentials.reduce((sum, e) => sum + e, 0)
  return exponentials.map((e) => e / total)
}

function crossEntropyCase(name: string, K: number, labels: number[]): Op['cases'][number] {
  const N = labels.length
  return { name, inputs: [{ shape: [N, K] }, { shape: [N], dtype: 'i32', kind: 'values', values: labels }] }
}

/** The mean loss [1] of logits [N,K]. */
export function crossEntropy(b: Builder, logits: Value, labels: Value): Value {
  return b.apply(crossEntropyOp, [logits, labels])[0]
}
