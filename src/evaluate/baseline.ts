/**
 * The pixel baseline, a yardstick beside every retrieval figure: how far one gets by looking up the most similar
 * known picture, without learning anything. The score of a picture and a concept is the highest cosine
 * (data/thumbnail.ts) between the picture and the known pictures of the concept. Concepts without a known picture score
 * below all others.
 */
import { similarity, thumbnail } from '../data/thumbnail.ts'
import { decodeImage } from '../image/decode.ts'
import { recallsOf, type Recalls } from './retrieval.ts'

/** What the baseline needs to know about a picture; an entry of readCaptions fits. */
export interface KnownPicture {
  path: string
  concept: string | number
}

export interface PixelBaseline {
  /** Number of queries. */
  n: number
  /** Queries whose concept has no known picture: they cannot be found, and with only such all recall is 0. */
  unknown: number
  /** Picture -> concepts of the queries. */
  i2t: Recalls
  /** Concept -> pictures of the queries. */
  t2i: Recalls
}

/**
 * Ranks `queries` by the pictures in `known`: val_style by train, oneshot by val_concept. For val_concept by train
 * it is 0 by construction, since no concept is known. Throws what decodeImage throws.
 */
export async function pixelBaseline(
  queries: readonly KnownPicture[],
  known: readonly KnownPicture[],
): Promise<PixelBaseline> {
  const byConcept = new Map<string | number, Float32Array[]>()
  for (const { path, concept } of known) {
    const drawings = byConcept.get(concept) ?? []
    drawings.push(thumbnail(await decodeImage(path)))
    byConcept.set(concept, drawings)
  }
  const thumbnails: Float32Array[] = []
  for (const { path } of queries) {
    thumbnails.push(thumbnail(await decodeImage(path)))
  }
  const concepts = [...new Set(queries.map((query) => query.concept))]
  const drawings = concepts.map((concept) => byConcept.get(concept) ?? [])
  // [pictures, concepts]; -2 lies below every cosine.
  const scores = thumbnails.map((own) =>
    drawings.map((all) => all.reduce((best, drawing) => Math.max(best, similarity(own, drawing)), -2)),
  )
  const columnOf = new Map(concepts.map((concept, column) => [concept, column]))
  const columns = queries.map((query) => columnOf.get(query.concept)!)
  const i2t = scores.map((row, i) => rank(row, (column) => column === columns[i]))
  const t2i = concepts.map((_, column) => {
    const scoresOfConcept = scores.map((row) => row[column])
    return rank(scoresOfConcept, (i) => columns[i] === column)
  })
  const unknown = queries.filter((query) => !byConcept.has(query.concept)).length
  return { n: queries.length, unknown, i2t: recallsOf(i2t), t2i: recallsOf(t2i) }
}

/** One more than the wrong answers that score at least as well as the best right one. */
function rank(scores: readonly number[], isRight: (i: number) => boolean): number {
  const best = scores.reduce((most, score, i) => (isRight(i) ? Math.max(most, score) : most), -Infinity)
  return 1 + scores.filter((score, i) => !isRight(i) && score >= best).length
}
