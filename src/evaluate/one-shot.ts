/**
 * k-way one-shot recognition: a memory is taught one picture each of k concepts, then asked what another picture of each
 * of them shows. Beside it, on the very same episodes, the nearest of the k by pixels (data/thumbnail.ts), and chance.
 * The standard error is that of drawing episodes from the pictures there are; what other concepts would give it does not
 * know. Protocol: Vinyals et al. 2016 (arXiv 1606.04080), with one query a concept.
 */
import { requireThat } from '../base/errors.ts'
import { drawSome, Stream, USE } from '../base/rng.ts'
import { similarity } from '../data/thumbnail.ts'
import { drawOne, sharedConcepts, similarities, type Drawing, type SharedConcept } from './drawings.ts'

export interface OneShotOptions {
  /** Concepts of an episode. */
  ways: number
  /** Default 600. */
  episodes?: number
  /** Default 0. */
  seed?: number
}

/** In percent. */
export interface Accuracy {
  /** Mean over episodes of the share of the queries whose own drawing is more alike than each other; ties are wrong. */
  accuracy: number
  /** Of this mean: deviation over episodes by the square root of their number. */
  standardError: number
}

export interface OneShotReport {
  ways: number
  episodes: number
  /** That both sets show: those that are drawn from. */
  concepts: number
  model: Accuracy
  pixels: Accuracy
  chance: number
}

/** A query, and the drawing taught of its concept, by their places. */
interface Pair {
  query: number
  taught: number
}

/**
 * An episode draws `ways` of the concepts that both sets show, and of each one drawing to teach and one to ask about.
 * Throws a RangeError where there are fewer, or fewer than two ways or episodes.
 */
export function oneShot(
  taught: readonly Drawing[],
  queries: readonly Drawing[],
  { ways, episodes = 600, seed = 0 }: OneShotOptions,
): OneShotReport {
  const shared = sharedConcepts(taught, queries)
  const isWhole = (n: number) => Number.isInteger(n) && n >= 2
  const most = shared.length
  requireThat(isWhole(ways) && ways <= most, 'one-shot', `ways must be a whole number from 2 to ${most}`, ways)
  requireThat(isWhole(episodes), 'one-shot', 'episodes must be a whole number from 2', episodes)
  const drawn = Array.from({ length: episodes }, (_, episode) => {
    return drawEpisode(shared, ways, new Stream(seed, episode, ways, USE.episode))
  })
  const byPixels = queries.map((query) => {
    return Float64Array.from(taught, (drawing) => similarity(query.thumbnail, drawing.thumbnail))
  })
  return {
    ways,
    episodes,
    concepts: most,
    model: accuracyOf(drawn, similarities(taught, queries, 'image')),
    pixels: accuracyOf(drawn, byPixels),
    chance: 100 / ways,
  }
}

function drawEpisode(shared: readonly SharedConcept[], ways: number, stream: Stream): Pair[] {
  return drawSome(shared, ways, stream).map(({ taught, queries }) => {
    return { taught: drawOne(taught, stream), query: drawOne(queries, stream) }
  })
}

/** `scores` are those of each query with everything taught. */
function accuracyOf(episodes: readonly Pair[][], scores: readonly Float64Array[]): Accuracy {
  const shares = episodes.map((pairs) => {
    const right = pairs.filter(({ query, taught: own }) => {
      return pairs.every(({ taught }) => taught === own || scores[query][taught] < scores[query][own])
    })
    return (100 * right.length) / pairs.length
  })
  const mean = (values: readonly number[], n = values.length) => values.reduce((sum, value) => sum + value, 0) / n
  const accuracy = mean(shares)
  const squares = shares.map((share) => (share - accuracy) ** 2)
  return { accuracy, standardError: Math.sqrt(mean(squares, shares.length - 1) / shares.length) }
}
