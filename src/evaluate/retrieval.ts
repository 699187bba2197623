/**
 * Image-text retrieval (model.md section 9): the rank of the right image for every caption and of the best of its own
 * captions for every image, ties counted against the model, so equal features score as the worst order does.
 * Similarity is the dot product of features, summed in float64 in one order. All pairs twice: 5,000 images with five
 * captions each take about a minute.
 */
import { requireThat } from '../base/errors.ts'
import { dot } from '../base/linear.ts'

/** Shares of queries, in percent, whose rank is at most 1, 5, 10. */
export interface Recalls {
  r1: number
  r5: number
  r10: number
}

export interface DirectionReport extends Recalls {
  /** Of an even number of queries the mean of the two in the middle. */
  medianRank: number
}

export interface RetrievalReport {
  images: number
  captions: number
  /** Captions ask for their image. */
  t2i: DirectionReport
  /** Images ask for any of their captions. */
  i2t: DirectionReport
  /** What a random order reaches on average. */
  chance: { t2i: Recalls; i2t: Recalls }
}

export interface RetrievalFeatures {
  /** [captions,channels], unit rows. */
  text: Float32Array
  /** [images,channels], unit rows. */
  image: Float32Array
  channels: number
  /** The image of each caption [captions]; every image has at least one. Equal texts are captions of their own. */
  captionOf: ArrayLike<number>
}

/** Ranks from 1 of the right answers, by query. */
export interface RetrievalRanks {
  /** [captions] */
  t2i: Int32Array
  /** [images] */
  i2t: Int32Array
}

/** Both directions over one set of images and captions. Throws a RangeError where sizes do not fit. */
export function evaluateRetrieval(features: RetrievalFeatures): RetrievalReport {
  return retrievalReport(retrievalRanks(features), features.captionOf)
}

/** Ranks of both directions. Throws a RangeError where sizes do not fit. */
export function retrievalRanks({ text, image, channels, captionOf }: RetrievalFeatures): RetrievalRanks {
  const ofCaption = Int32Array.from(captionOf)
  checkOwners(ofCaption, image.length / channels)
  const ofImage = imagesOf(image.length / channels)
  return {
    t2i: ranks(text, image, channels, ofCaption, ofImage),
    i2t: ranks(image, text, channels, ofImage, ofCaption),
  }
}

/** Figures of the ranks, beside chance. */
export function retrievalReport({ t2i, i2t }: RetrievalRanks, captionOf: ArrayLike<number>): RetrievalReport {
  const ofImage = imagesOf(i2t.length)
  const chance = { t2i: chanceRecalls(captionOf, ofImage), i2t: chanceRecalls(ofImage, captionOf) }
  return { images: i2t.length, captions: t2i.length, t2i: summarise(t2i), i2t: summarise(i2t), chance }
}

/** Every image is its own. */
function imagesOf(images: number): Int32Array {
  return Int32Array.from({ length: images }, (_, i) => i)
}

/**
 * Rank from 1 of the best right item for each query: one more than the items of another owner that do not score below
 * it. A score that is not a number counts as below nothing.
 * in   queries [Q,channels], gallery [G,channels], ofQuery [Q], ofGallery [G] - an item is right where owners are equal
 */
export function ranks(
  queries: Float32Array,
  gallery: Float32Array,
  channels: number,
  ofQuery: ArrayLike<number>,
  ofGallery: ArrayLike<number>,
): Int32Array {
  const [Q, G] = [ofQuery.length, ofGallery.length]
  requireThat(
    queries.length === Q * channels,
    'retrieval',
    `queries must have ${Q} x ${channels} numbers`,
    queries.length,
  )
  requireThat(
    gallery.length === G * channels,
    'retrieval',
    `gallery must have ${G} x ${channels} numbers`,
    gallery.length,
  )
  const all = mapQueries(queries, gallery, channels, (scores, q) => {
    let best = -Infinity
    for (let g = 0; g < G; g++) if (ofGallery[g] === ofQuery[q]) best = Math.max(best, scores[g])
    let rank = 1
    for (let g = 0; g < G; g++) if (ofGallery[g] !== ofQuery[q] && !(scores[g] < best)) rank++
    return rank
  })
  return Int32Array.from(all)
}

/** What `of` makes of the similarities [G] of each query with the whole gallery; they are overwritten by the next. */
export function mapQueries<T>(
  queries: Float32Array,
  gallery: Float32Array,
  channels: number,
  of: (scores: Float64Array, query: number) => T,
): T[] {
  const scores = new Float64Array(gallery.length / channels)
  return Array.from({ length: queries.length / channels }, (_, q) => {
    for (let g = 0; g < scores.length; g++) scores[g] = dot(queries, q * channels, gallery, g * channels, channels)
    return of(scores, q)
  })
}

/** Recalls and median of ranks. */
export function summarise(all: Int32Array): DirectionReport {
  requireThat(all.length > 0, 'retrieval', 'there must be a query')
  const sorted = all.toSorted()
  const middle = sorted.length >> 1
  const medianRank = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  return { ...recallsOf(all), medianRank }
}

/** Recalls of ranks from 1. */
export function recallsOf(all: ArrayLike<number>): Recalls {
  const recall = (k: number) => (100 * Array.from(all).filter((rank) => rank <= k).length) / all.length
  return { r1: recall(1), r5: recall(5), r10: recall(10) }
}

/** Expected recalls of a random order, for queries and items with these owners. */
export function chanceRecalls(ofQuery: ArrayLike<number>, ofGallery: ArrayLike<number>): Recalls {
  const G = ofGallery.length
  const items = new Map<number, number>()
  for (const owner of Array.from(ofGallery)) items.set(owner, (items.get(owner) ?? 0) + 1)
  const expected = (k: number) => {
    let sum = 0
    for (const owner of Array.from(ofQuery)) {
      // The first k places of a random order miss all m right ones with probability C(G-m, k) / C(G, k).
      const wrong = G - (items.get(owner) ?? 0)
      let miss = 1
      for (let j = 0; j < Math.min(k, G); j++) miss *= Math.max(0, wrong - j) / (G - j)
      sum += 1 - miss
    }
    return (100 * sum) / ofQuery.length
  }
  return { r1: expected(1), r5: expected(5), r10: expected(10) }
}

function checkOwners(ofCaption: Int32Array, images: number): void {
  requireThat(Number.isInteger(images), 'retrieval', 'image must have whole rows', images)
  const captioned = new Set(ofCaption)
  for (const owner of captioned) {
    requireThat(owner >= 0 && owner < images, 'retrieval', `captionOf must hold images from 0 to ${images - 1}`, owner)
  }
  requireThat(
    captioned.size === images,
    'retrieval',
    'every image must have a caption',
    `${captioned.size} of ${images}`,
  )
}
