/**
 * Text to ids (model.md section 1): GPT-2's byte-pair encoding, ids = [EOS] + bpe(prefix + caption) + [EOS]. BOS, EOS and
 * padding share one id, so masks come from lengths, never from ids. The merge table is 500 KB and stays out of `bitgen/core`.
 */
import { encode } from 'gpt-tokenizer/encoding/r50k_base'
import { requireKind, requireThat } from '../base/errors.ts'
import { batchIds, EOS, type TokenBatch, type VocabularyMap } from './vocabulary.ts'

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
  return batchIds(
    texts.map((text) => encodeText(text, config)),
    vocabulary,
  )
}
