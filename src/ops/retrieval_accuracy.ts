/**
 * Retrieval within a batch: a metric, without gradient.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

/**
 * share = mean over rows of [scores_rr > scores_rc for every c with another id]; ties count against
 * in   scores [B,B] f32 - rows are queries, columns keys; ids [B] i32
 * out  share [1] f32
 */
export const retrievalAccuracyOp: Op = {
  name: 'retrieval_accuracy',
  infer(inputs) {
    const [B, columns] = given(inputs, 0, 'retrieval_accuracy').shape
    requireThat(B === columns, 'retrieval_accuracy', 'scores must have shape [B, B]', inputs[0]!.shape)
    return [{ shape: [1], dtype: 'f32' }]
  },
  reference([scores, ids], [share]) {
    const B = ids!.data.length
    const right = ids!.data.filter((id, r) =>
      ids!.data.every((other, c) => other === id || scores!.data[r * B + r] > scores!.data[r * B + c]),
    )
    share.data[0] = right.length / B
  },
  lower({ inputs: [scores, ids], outputs: [share] }, to) {
    to.call('retrieval_accuracy__f32', to.at(scores), to.at(ids), to.at(share), ids!.shape[0])
  },
  cases: [
    ...[1, 3, 7, 33].map((B) => ({
      name: `b${B}`,
      inputs: [
        { shape: [B, B], gradient: false },
        { shape: [B], dtype: 'i32' as const, kind: 'ids' as const, max: B },
      ],
    })),
    {
      name: 'tie_and_same_id',
      inputs: [
        { shape: [3, 3], kind: 'values', values: [1, 1, 0, 5, 2, 3, 0, 0, 4], gradient: false },
        { shape: [3], dtype: 'i32', kind: 'values', values: [7, 8, 7] },
      ],
    },
  ],
}

export function retrievalAccuracy(b: Builder, scores: Value, ids: Value): Value {
  return b.apply(retrievalAccuracyOp, [scores, ids])[0]
}
