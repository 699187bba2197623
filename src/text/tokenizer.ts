/**
 * Text to ids (model.md section 1): GPT-2's byte-pair encoding, ids = [EOS] + bpe(prefix + caption) + [EOS]. BOS, EOS and
 * padding share one id, so masks come from lengths, never from ids. Pruned models keep the rows of some ids only: a
 * VocabularyMap leads from the ids of GPT-2 to those rows. The merge table is 500 KB and stays out of `bitgen/core`.
 */
import { encode } from 'gpt-tokenizer/encoding/r50k_base'
import { requireKind, requireThat } from '../base/errors.ts'

/** `<|endoftext|>`: begins, ends and pads every text. */
export const EOS = 50256
/** Ids of GPT-2, EOS included. */
export const VOCABULARY = 50257

/**
 * UTF-16 units that are looked at: byte-pair encoding is quadratic in a run without spaces (10,000 letters take 50 ms).
 * No text of the longest model, 254 ids, reaches it unless an id stands for 32 characters on average.
 */
const MAX_CHARACTERS = 8192

/** Special tokens in user text are ordinary characters. */
const PLAIN = { disallowedSpecial: new Set<string>() }

export interface TokenizerConfig {
  /** Put before every text; GPT-2 gives a first word another id than the same word after a space. */
  prefix: string
  /** Longest sequence, with both EOS. */
  maxLength: number
}

/** Texts as the model takes them. */
export interface TokenBatch {
  /** [B,T], padded with EOS. */
  ids: Int32Array
  /** [B], from 2 to T. */
  lengths: Int32Array
  /** Length of the longest text. */
  T: number
}

/** The ids of one text, at most `maxLength`, both EOS included; what does not fit is cut at the end. */
export function encodeText(text: string, { prefix, maxLength }: TokenizerConfig): number[] {
  requireKind(typeof text === 'string', 'tokenizer', 'text must be a string', text)
  requireThat(
    Number.isInteger(maxLength) && maxLength >= 2,
    'tokenizer',
    'maxLength must be a whole number from 2',
    maxLength,
  )
  const all = prefix + text
  // A pair of surrogates that the cut parts becomes U+FFFD, far behind the ids that are kept.
  return [EOS, ...encode(all.slice(0, MAX_CHARACTERS), PLAIN).slice(0, maxLength - 2), EOS]
}

/** Texts [B] as one batch, padded to the longest. `vocabulary` maps the ids to the rows of a pruned model. */
export function encodeBatch(texts: readonly string[], config: TokenizerConfig, vocabulary?: VocabularyMap): TokenBatch {
  requireKind(Array.isArray(texts), 'tokenizer', 'texts must be an array', texts)
  requireThat(texts.length > 0, 'tokenizer', 'texts must not be empty')
  const rows = texts.map((text) => encodeText(text, config))
  const T = rows.reduce((longest, row) => Math.max(longest, row.length), 0)
  const ids = new Int32Array(rows.length * T).fill(EOS)
  rows.forEach((row, i) => ids.set(row, i * T))
  if (vocabulary) ids.forEach((id, i) => (ids[i] = vocabulary.row(id)))
  return { ids, lengths: Int32Array.from(rows, (row) => row.length), T }
}

/** The ids that a pruned model keeps: row i of its table belongs to kept[i], one more row to all others together. */
export class VocabularyMap {
  /** Ids of GPT-2 in ascending order, EOS among them. */
  readonly kept: Int32Array
  private readonly rowOf: Map<number, number>

  /** Keeps these ids, in any order, and EOS. Throws a RangeError on one that GPT-2 does not have. */
  constructor(ids: Iterable<number>) {
    this.kept = Int32Array.from(new Set([...ids, EOS])).sort()
    const ok = this.kept[0] >= 0 && this.kept.at(-1)! < VOCABULARY
    requireThat(ok, 'vocabulary', `ids must be from 0 to ${VOCABULARY - 1}`, [this.kept[0], this.kept.at(-1)])
    this.rowOf = new Map(Array.from(this.kept, (id, row) => [id, row]))
  }

  /** Rows of the table, the shared one included. */
  get size(): number {
    return this.kept.length + 1
  }

  /** The row of an id; ids that are not kept share the last one. */
  row(id: number): number {
    return this.rowOf.get(id) ?? this.kept.length
  }

  /** The id of a row; the shared row has none. */
  id(row: number): number | undefined {
    return this.kept[row]
  }
}
