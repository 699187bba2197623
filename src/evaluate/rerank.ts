/**
 * Re-ranking (model.md section 9; ALBEF, arXiv 2107.07651): retrieval finds candidates by comparing features, matching
 * reads each of them together with the query and orders them anew. What is not among the candidates keeps its place.
 * A candidate scores similarity / T + margin. Where matching has learnt against wrong partners drawn by
 * softmax(similarity / T), its margin is what that distribution lacks, as a logarithm; so the sum has no weight to tune.
 * On dev_style the margin alone was far worse at each of four checkpoints. No weight from 1/4 to 8 was better than the
 * similarity alone (mean R@1 of both directions) at more than one of them: whether matching helps is for figures to say.
 */
import { mapQueries } from './retrieval.ts'

/** The best items for a query, best first. */
export interface Candidates {
  items: number[]
  similarities: number[]
}

/**
 * The `k` best items for each query. Of equals those of another owner come first, as ranks count ties: the right item is
 * a candidate where its rank is at most k.
 * in   queries [Q,channels], gallery [G,channels], ofQuery [Q], ofGallery [G] - an item is right where owners are equal
 */
export function candidates(
  queries: Float32Array,
  gallery: Float32Array,
  channels: number,
  ofQuery: ArrayLike<number>,
  ofGallery: ArrayLike<number>,
  k: number,
): Candidates[] {
  return mapQueries(queries, gallery, channels, (scores, q) => {
    const isRight = (item: number) => ofGallery[item] === ofQuery[q]
    // What is no number counts against the model too.
    const place = (item: number) => {
      if (!Number.isNaN(scores[item])) return scores[item]
      return isRight(item) ? -Infinity : Infinity
    }
    const precedes = (a: number, b: number) =>
      place(a) > place(b) || (place(a) === place(b) && !isRight(a) && isRight(b))
    const items: number[] = []
    for (let item = 0; item < scores.length; item++) {
      if (items.length === k && !precedes(item, items[k - 1])) continue
      let at = items.length
      while (at > 0 && precedes(item, items[at - 1])) at--
      items.splice(at, 0, item)
      if (items.length > k) items.pop()
    }
    return { items, similarities: items.map((item) => scores[item]) }
  })
}

/**
 * Rank of the best right item once the candidates are ordered by `scores`; ties, and scores that are no numbers, count
 * against it. Where none of them is right the rank stays.
 */
export function rerank(rank: number, scores: readonly number[], isRight: readonly boolean[]): number {
  if (!isRight.includes(true)) return rank
  const best = scores.reduce((most, score, i) => (isRight[i] && score > most ? score : most), -Infinity)
  return 1 + scores.filter((score, i) => !isRight[i] && !(score < best)).length
}
