/**
 * Features of a batch into the queue of earlier keys (model.md section 8): a ring buffer, written after the loss, so
 * that a batch never meets itself there.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { columns, fixed } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

/** Versions of the states of a queue: features [Q,C] f32, ids and samples [Q] i32, and two counters [1] i32. */
export interface QueueState {
  text: Value
  image: Value
  ids: Value
  /** What each row was made from, for whoever wants to make it again. */
  samples: Value | null
  /** Row that is written next. */
  next: Value
  /** Rows written so far, at most Q. */
  filled: Value
}

/**
 * Row (next + r) mod Q takes sample r; next' = (next + B) mod Q, filled' = min(Q, filled + B).
 * A batch with a feature that is not finite is not taken: it would spoil every later step.
 * in   queue text [Q,C] f32, image [Q,C] f32, ids [Q] i32, next [1] i32, filled [1] i32; t [B,C] f32, i [B,C] f32,
 *      ids [B] i32; queue samples [Q] i32 and samples [B] i32, or neither
 * out  the states of the queue, in place: text, image, ids, next, filled, and samples where there are any
 */
export const enqueueOp: Op = {
  name: 'enqueue',
  alias: { 0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 8 },
  updates: true,
  infer(inputs) {
    const text = given(inputs, 0, 'enqueue')
    const t = given(inputs, 5, 'enqueue')
    requireThat(
      columns(text.shape) === columns(t.shape),
      'enqueue',
      `features must have ${columns(text.shape)} columns`,
      t.shape,
    )
    requireThat(!inputs[8] === !inputs[9], 'enqueue', 'samples must be given for queue and batch, or for neither')
    return [0, 1, 2, 3, 4, ...(inputs[8] ? [8] : [])].map((i) => ({ shape: inputs[i]!.shape, dtype: inputs[i]!.dtype }))
  },
  reference([, , , , , t, i, ids, , samples], [queueText, queueImage, queueIds, next, filled, queueSamples]) {
    const [Q, C] = queueText.shape
    const B = ids!.data.length
    if (![...t!.data, ...i!.data].every(Number.isFinite)) return
    for (let r = 0; r < B; r++) {
      const row = (next.data[0] + r) % Q
      queueText.data.set(t!.data.subarray(r * C, r * C + C), row * C)
      queueImage.data.set(i!.data.subarray(r * C, r * C + C), row * C)
      queueIds.data[row] = ids!.data[r]
      if (queueSamples) queueSamples.data[row] = samples!.data[r]
    }
    next.data[0] = (next.data[0] + B) % Q
    filled.data[0] = Math.min(Q, filled.data[0] + B)
  },
  lower({ inputs: [, , , , , t, i, ids, , samples], outputs }, to) {
    const [text, image, queueIds, next, filled, queueSamples] = outputs
    const states = [text, image, queueIds, queueSamples, next, filled]
    const addresses = [t, i, ids, samples, ...states].map((value) => to.at(value))
    const [Q, C] = text.shape
    to.call('enqueue__f32', ...addresses, ids!.shape[0], fixed(Q), fixed(C))
  },
  cases: [
    enqueueCase('first', 5, 12, 8, 0, 0),
    enqueueCase('wraps', 7, 12, 33, 9, 9),
    enqueueCase('full', 1, 3, 1, 2, 3),
    enqueueCase('larger_than_queue', 7, 3, 4, 1, 2),
    enqueueCase('samples', 5, 8, 4, 6, 6, true),
  ],
}

function enqueueCase(
  name: string,
  B: number,
  Q: number,
  C: number,
  next: number,
  filled: number,
  samples = false,
): Op['cases'][number] {
  const ids = { dtype: 'i32', kind: 'ids', max: 100 } as const
  const counter = { shape: [1], dtype: 'i32', kind: 'values' } as const
  return {
    name,
    inputs: [
      { shape: [Q, C] },
      { shape: [Q, C] },
      { shape: [Q], ...ids },
      { ...counter, shape: [1], values: [next] },
      { ...counter, shape: [1], values: [filled] },
      { shape: [B, C] },
      { shape: [B, C] },
      { shape: [B], ...ids },
      ...(samples
        ? [
            { shape: [Q], ...ids },
            { shape: [B], ...ids },
          ]
        : []),
    ],
  }
}

/**
 * The next versions of the queue. Comes after every reader of the old ones. `samples` [B] i32 are given where the queue
 * keeps them.
 */
export function enqueue(
  b: Builder,
  queue: QueueState,
  t: Value,
  i: Value,
  ids: Value,
  samples: Value | null,
): QueueState {
  const states = [queue.text, queue.image, queue.ids, queue.next, queue.filled]
  const [text, image, queueIds, next, filled, kept] = b.apply(enqueueOp, [...states, t, i, ids, queue.samples, samples])
  return { text, image, ids: queueIds, next, filled, samples: kept ?? null }
}
