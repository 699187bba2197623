/**
 * The search over captions (model.md section 7): a plan has no branches, so the host chooses the ids and says when to
 * stop. Greedy, sampling from the smallest set that holds `topP` (Holtzman et al., "The Curious Case of Neural Text
 * Degeneration", 2019) and beam search. Everything is in float64 and in a fixed order: equal logits give equal captions
 * on every engine.
 */
import { requireThat } from '../base/errors.ts'
import { exp, log } from '../base/math.ts'
import { Stream, USE } from '../base/rng.ts'

/** One step of the decoder for several hypotheses of equal length at once. `Cache` is what one remembers of its past. */
export interface StepDecoder<Cache> {
  /**
   * Puts id i at `position` behind the past of cache i. Gives logits [ids.length, columns] of the next id and the caches
   * with the ids in them. Given caches stay as they are, since hypotheses share them; logits are read at once, so they
   * may lie where the next run writes.
   */
  step(
    ids: readonly number[],
    position: number,
    caches: readonly Cache[],
  ): { logits: Float32Array; columns: number; caches: Cache[] }
}

/**
 * What the decoder gave for the beginning of the text: logits [columns] of the first id, which goes to `position`. They
 * are read at the first next(); where they lie in the arena, the same generator must have run the decoder.
 */
export interface SearchStart<Cache> {
  logits: Float32Array
  columns: number
  cache: Cache
  position: number
}

export interface SearchOptions {
  /** Most ids to choose, `end` counted. */
  maxTokens: number
  /** Hypotheses that live at a time, 1 to 16; above 1 only with temperature 0. */
  beams: number
  /** 0 takes the best id; above, ids are drawn from softmax(logits / temperature). */
  temperature: number
  /** Draws are among the most likely ids that together have this probability, above 0 to 1. */
  topP: number
  /** Of the draws, in [0, 2^32). */
  seed: number
  /** The id that ends a text. */
  end: number
  /** Ids that are never chosen; the others share the whole probability. */
  banned?: readonly number[]
}

export interface SearchResult {
  /** Without `end`. */
  ids: number[]
  /** Sum over the chosen ids, `end` included, of the model's log-probabilities (at temperature 1, without topP). */
  logProbability: number
  /** Whether `end` was chosen, and not maxTokens reached. */
  finished: boolean
}

/** What a search yields: the next id of the text, or null where it only breathes. */
export type Searching = Generator<number | null, SearchResult>

/**
 * Searches from `start` on. Greedy and sampling yield each id as it is chosen; beam search yields null after every step,
 * as its best hypothesis may still change, and all ids at the end. To stop, ask for no more.
 */
export function* search<Cache>(
  decoder: StepDecoder<Cache>,
  start: SearchStart<Cache>,
  options: SearchOptions,
): Searching {
  checkOptions(options, start.columns)
  return yield* options.beams > 1 ? beamSearch(decoder, start, options) : singleSearch(decoder, start, options)
}

function checkOptions(options: SearchOptions, columns: number): void {
  const { maxTokens, beams, temperature, topP, seed, end, banned = [] } = options
  const whole = (value: number, from: number, to: number) => Number.isInteger(value) && value >= from && value <= to
  const where = 'caption'
  requireThat(whole(maxTokens, 1, Infinity), where, 'maxTokens must be a whole number from 1', maxTokens)
  requireThat(whole(beams, 1, 16), where, 'beams must be a whole number from 1 to 16', beams)
  const isTemperature = Number.isFinite(temperature) && temperature >= 0
  requireThat(isTemperature, where, 'temperature must be a finite number from 0', temperature)
  requireThat(beams === 1 || temperature === 0, where, 'beams above 1 need temperature 0', temperature)
  requireThat(topP > 0 && topP <= 1, where, 'topP must be above 0 and at most 1', topP)
  requireThat(whole(seed, 0, 2 ** 32 - 1), where, 'seed must be a whole number in [0, 2^32)', seed)
  for (const id of [end, ...banned]) {
    requireThat(whole(id, 0, columns - 1), where, `end and banned must be from 0 to ${columns - 1}`, id)
  }
}

/** Greedy search and sampling: one hypothesis. */
function* singleSearch<Cache>(
  decoder: StepDecoder<Cache>,
  start: SearchStart<Cache>,
  { maxTokens, temperature, topP, seed, end, banned = [] }: SearchOptions,
): Searching {
  const ids: number[] = []
  let { logits, cache, position } = start
  let logProbability = 0
  for (;;) {
    const scores = logProbabilities(logits, 0, start.columns, banned)
    const draw = () => new Stream(seed, position, 0, USE.caption).next()
    const id = temperature === 0 ? argmax(scores) : sample(scores, temperature, topP, draw())
    logProbability += scores[id]
    if (id === end) return { ids, logProbability, finished: true }
    ids.push(id)
    yield id
    if (ids.length === maxTokens) return { ids, logProbability, finished: false }
    const next = decoder.step([id], position++, [cache])
    logits = next.logits
    cache = next.caches[0]
  }
}

interface Hypothesis<Cache> {
  ids: readonly number[]
  logProbability: number
  /** Of all ids but the last, once there is one. */
  cache: Cache
}

/**
 * Beam search. Each step ranks all continuations of the live hypotheses. Those among the best `beams` that end are
 * finished, with their log-probability per id, `end` counted, as score; the best that do not end live on. Where nothing
 * finishes within maxTokens, the best that lives is returned. Ties go to the better parent, then to the smaller id.
 */
function* beamSearch<Cache>(
  decoder: StepDecoder<Cache>,
  { logits, columns, cache, position }: SearchStart<Cache>,
  { maxTokens, beams, end, banned = [] }: SearchOptions,
): Searching {
  let live: Hypothesis<Cache>[] = [{ ids: [], logProbability: 0, cache }]
  let caches = [cache]
  let best: SearchResult | undefined
  let bestScore = -Infinity
  for (let length = 1; ; length++) {
    // A live hypothesis has one continuation that ends, so among twice `beams` there are `beams` that do not.
    const ranked = new Ranking(2 * beams)
    live.forEach(({ logProbability }, parent) => {
      const scores = logProbabilities(logits, parent, columns, banned)
      scores.forEach((score, id) => ranked.add(logProbability + score, parent, id))
    })
    const next: Hypothesis<Cache>[] = []
    for (const [rank, { logProbability, parent, id }] of ranked.kept.entries()) {
      const { ids } = live[parent]
      if (id !== end) {
        if (next.length < beams) next.push({ ids: [...ids, id], logProbability, cache: caches[parent] })
      } else if (rank < beams && logProbability / length > bestScore) {
        best = { ids: [...ids], logProbability, finished: true }
        bestScore = logProbability / length
      }
    }
    live = next
    // Log-probabilities only fall, so a score is at most the present sum over the longest length.
    const hopeless = live.length === 0 || (best !== undefined && live[0].logProbability / maxTokens <= bestScore)
    if (hopeless || length === maxTokens) break
    yield null
    const lastIds = live.map(({ ids }) => ids[ids.length - 1])
    const pasts = live.map((hypothesis) => hypothesis.cache)
    ;({ logits, caches } = decoder.step(lastIds, position++, pasts))
  }
  const result = best ?? { ids: [...live[0].ids], logProbability: live[0].logProbability, finished: false }
  yield* result.ids
  return result
}

/** Row `row` of logits [n, columns] as log-probabilities over the ids that are not banned; those have -Infinity. */
function logProbabilities(logits: Float32Array, row: number, columns: number, banned: readonly number[]): Float64Array {
  const scores = Float64Array.from(logits.subarray(row * columns, (row + 1) * columns))
  for (const id of banned) scores[id] = -Infinity
  const largest = scores[argmax(scores)]
  let sum = 0
  for (const score of scores) sum += exp(score - largest)
  // Also false for NaN and where every id is banned.
  requireThat(sum > 0 && sum < Infinity, 'caption', 'logits must be numbers, and one id not banned')
  const normaliser = largest + log(sum)
  return scores.map((score) => score - normaliser)
}

/** Place of the largest number, the first of equal ones. */
function argmax(values: Float64Array): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i
  return best
}

/**
 * An id drawn from softmax(scores / temperature), restricted to the smallest set of ids that reaches topP; `uniform` is
 * in [0, 1). Ids are laid end to end by falling probability, ties by id.
 */
function sample(scores: Float64Array, temperature: number, topP: number, uniform: number): number {
  const largest = scores[argmax(scores)]
  const weights = scores.map((score) => exp((score - largest) / temperature))
  const order = Uint32Array.from(weights.keys()).sort((a, b) => weights[b] - weights[a] || a - b)
  let total = 0
  for (const id of order) total += weights[id]
  // All three sums run in the same order, so that each reaches the one before to the bit.
  let mass = 0
  for (const id of order) if (mass < topP * total) mass += weights[id]
  let sum = 0
  // There is one: uniform <= 1 - 2^-32, and the sum reaches the mass.
  return order.find((id) => (sum += weights[id]) > uniform * mass)!
}

interface Continuation {
  logProbability: number
  parent: number
  id: number
}

/** The `most` best continuations, best first; of equal ones those that were added first. */
class Ranking {
  readonly kept: Continuation[] = []
  private readonly most: number

  constructor(most: number) {
    this.most = most
  }

  add(logProbability: number, parent: number, id: number): void {
    const { kept, most } = this
    if (logProbability === -Infinity) return
    if (kept.length === most && logProbability <= kept[most - 1].logProbability) return
    let at = kept.length
    while (at > 0 && kept[at - 1].logProbability < logProbability) at--
    kept.splice(at, 0, { logProbability, parent, id })
    if (kept.length > most) kept.pop()
  }
}
