/**
 * How well the decoder foretells a text, each token from the true ones before it (model.md section 9): perplexity and
 * share of tokens. The next token is right where no other has as high a logit. One step of the decoder a token.
 */
import { exp, log } from '../base/math.ts'
import type { StepDecoder } from '../runtime/search.ts'

export interface TextScores {
  /** Tokens that were foretold, the end of each text among them. */
  tokens: number
  /** exp of the mean loss of a token. */
  perplexity: number
  /** Percent. */
  tokenAccuracy: number
}

/** Of each token behind the first: -log of its probability, and whether it was the likeliest. */
export interface Foretold {
  loss: number
  right: boolean
}

/** Foretells `ids` [T], rows of the model's vocabulary from BOS to EOS: T - 1 tokens. */
export function foretell<Cache>(decoder: StepDecoder<Cache>, ids: readonly number[]): Foretold[] {
  let caches: Cache[] = []
  return ids.slice(1).map((target, position) => {
    const step = decoder.step([ids[position]], position, caches)
    caches = step.caches
    return scoreOf(step.logits, target)
  })
}

/** Means over all tokens of all texts. */
export function textScores(tokens: readonly Foretold[]): TextScores {
  const loss = tokens.reduce((sum, token) => sum + token.loss, 0) / tokens.length
  const right = tokens.filter((token) => token.right).length
  return { tokens: tokens.length, perplexity: exp(loss), tokenAccuracy: (100 * right) / tokens.length }
}

function scoreOf(logits: Float32Array, target: number): Foretold {
  let others = -Infinity
  logits.forEach((logit, id) => (others = id === target ? others : Math.max(others, logit)))
  const largest = Math.max(others, logits[target])
  let sum = 0
  for (const logit of logits) sum += exp(logit - largest)
  return { loss: log(sum) + largest - logits[target], right: logits[target] > others }
}
