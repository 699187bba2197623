/**
 * The vocabulary of GPT-2 and the part of it that a pruned model keeps: rows of its table for some ids, one more row
 * for all others. Apart from the tokenizer, so that `bitgen/core` can take ids without carrying the merges.
 */
import { requireThat } from '../base/errors.ts'

/** `<|endoftext|>`: begins, ends and pads every text. */
export const EOS = 50256
/** Ids of GPT-2, EOS included. */
export const VOCABULARY = 50257

/** Texts as the model takes them. */
export interface TokenBatch {
  /** [B,T], padded with EOS. */
  ids: Int32Array
  /** [B], from 1 to T. */
  lengths: Int32Array
  /** Length of the longest text. */
  T: number
}

/** Ids of texts as one batch, padded to the longest; as rows of the table where a model keeps only some ids. */
export function batchIds(texts: readonly ArrayLike<number>[], vocabulary?: VocabularyMap): TokenBatch {
  const T = texts.reduce((longest, ids) => Math.max(longest, ids.length), 0)
  const ids = new Int32Array(texts.length * T).fill(EOS)
  texts.forEach((text, i) => ids.set(text, i * T))
  if (vocabulary) ids.forEach((id, i) => (ids[i] = vocabulary.row(id)))
  return { ids, lengths: Int32Array.from(texts, ({ length }) => length), T }
}

/** The ids that a pruned model keeps: row i of its table belongs to kept[i], one more row to all others together. */
export class VocabularyMap {
  readonly kept: Int32Array

  /** Of ids of GPT-2 in ascending order, the last of which is EOS; throws a RangeError on others. */
  constructor(kept: Int32Array) {
    let rows = 0
    for (let last = -1; kept[rows] > last; rows++) last = kept[rows]
    requireThat(rows === kept.length, `vocabulary: row ${rows}`, 'ids must ascend from 0', kept[rows])
    requireThat(kept[rows - 1] === EOS, 'vocabulary', `the last id must be ${EOS}`, kept[rows - 1] ?? null)
    this.kept = kept
  }

  /** Keeps these ids, in any order, and EOS. Throws a RangeError on one that GPT-2 does not have. */
  static of(ids: ArrayLike<number>): VocabularyMap {
    const all = new Int32Array(ids.length + 1).fill(EOS)
    all.set(ids)
    return new VocabularyMap(all.sort().filter((id, i) => id !== all[i - 1]))
  }

  /** Rows of the table, the shared one included. */
  get size(): number {
    return this.kept.length + 1
  }

  /** The row of an id; ids that are not kept share the last one. */
  row(id: number): number {
    let row = 0
    for (let end = this.kept.length; row < end;) {
      const middle = (row + end) >> 1
      if (this.kept[middle] < id) row = middle + 1
      else end = middle
    }
    return this.kept[row] === id ? row : this.kept.length
  }

  /** The id of a row; the shared row has none. */
  id(row: number): number | undefined {
    return this.kept[row]
  }
}
