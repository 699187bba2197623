/**
 * Which pairs matching is asked about (model.md section 9): of a captioned set the true pairs (I,T), a wrong caption for
 * every image (I,T_neg), and a wrong image for every caption (I_neg,T). Wrong ones are drawn evenly; or hard, as in
 * training: from batches, by the softmax of the similarities; or are the hardest of the whole set. Draws are by
 * counter-based random numbers. Every pair of image and caption is looked at.
 */
import { exp } from '../base/math.ts'
import { shuffle, Stream, USE } from '../base/rng.ts'
import { plainText } from './captions.ts'
import { matchingAccuracy } from './matching.ts'
import { mapQueries } from './retrieval.ts'

/** A set of images and their captions. */
export interface CaptionedSet {
  /** What each image shows [images]. */
  concepts: readonly (string | number)[]
  captions: readonly string[]
  /** The image of each caption [captions]. */
  captionOf: readonly number[]
}

/** Unit rows [captions,channels] and [images,channels]. */
export interface PairFeatures {
  text: Float32Array
  image: Float32Array
  channels: number
}

/** Wrong partners; -1 where there is none. */
export interface Negatives {
  /** A caption for each image [images]. */
  captions: number[]
  /** An image for each caption [captions]. */
  images: number[]
}

export type Belong = (image: number, caption: number) => boolean

/** Match against no match, as a logit by image and caption: what was asked, and what was answered. */
export type Margins = Map<number, number>[]

/** Label 1 is a match. */
export type LabelledPair = [image: number, caption: number, label: 0 | 1]

export interface MatchingReport {
  /** Pairs; about a third of them are true. */
  n: number
  /** Percent of the pairs that are told right, and the mean of this over true and wrong pairs. */
  accuracy: number
  balanced: number
}

/**
 * Whether a caption is true of an image: it is a caption of the same concept, or has the words of one of the image's
 * own. Such pairs are no wrong ones, whoever wrote them.
 */
export function belonging({ concepts, captions, captionOf }: CaptionedSet): Belong {
  const words = captions.map(plainText)
  const own = concepts.map(() => new Set<string>())
  captionOf.forEach((image, caption) => own[image].add(words[caption]))
  return (image, caption) => concepts[image] === concepts[captionOf[caption]] || own[image].has(words[caption])
}

/** Any wrong partner, each as likely as the others; the same ones for the same seed. */
export function randomNegatives({ concepts, captions }: CaptionedSet, belong: Belong, seed: number): Negatives {
  const [I, T] = [concepts.length, captions.length]
  const draw = (n: number, isWrong: (i: number) => boolean, step: number, query: number) => {
    const wrong = Array.from({ length: n }, (_, i) => i).filter(isWrong)
    return wrong.length === 0 ? -1 : wrong[new Stream(seed, step, query, USE.match).below(wrong.length)]
  }
  return {
    captions: concepts.map((_, image) => draw(T, (caption) => !belong(image, caption), 0, image)),
    images: captions.map((_, caption) => draw(I, (image) => !belong(image, caption), 1, caption)),
  }
}

/** Images of a batch from which hard partners are drawn, as in training. */
export const DRAWN_FROM = 256

/**
 * Wrong partners drawn by softmax(similarity / T) from a batch of at most 256 images with their captions, batches drawn
 * too: the negatives of training (model.md section 8), at full hardness.
 */
export function drawnNegatives(
  { text, image, channels }: PairFeatures,
  temperature: number,
  captionOf: readonly number[],
  belong: Belong,
  seed: number,
): Negatives {
  const images = image.length / channels
  const batchOf = new Int32Array(images)
  shuffle(images, seed, 0, 0, USE.match).forEach((one, place) => (batchOf[one] = Math.floor(place / DRAWN_FROM)))
  const draw = (scores: Float64Array, isCandidate: (i: number) => boolean, stream: Stream) => {
    const candidates = Array.from(scores.keys()).filter(isCandidate)
    const most = candidates.reduce((best, i) => Math.max(best, scores[i]), -Infinity)
    const weights = candidates.map((i) => exp((scores[i] - most) / temperature))
    let left = stream.next() * weights.reduce((sum, weight) => sum + weight, 0)
    return candidates.find((_, c) => (left -= weights[c]) < 0) ?? candidates.at(-1) ?? -1
  }
  return {
    captions: mapQueries(image, text, channels, (scores, i) => {
      const inBatch = (c: number) => batchOf[captionOf[c]] === batchOf[i] && !belong(i, c)
      return draw(scores, inBatch, new Stream(seed, 2, i, USE.match))
    }),
    images: mapQueries(text, image, channels, (scores, c) => {
      const inBatch = (i: number) => batchOf[i] === batchOf[captionOf[c]] && !belong(i, c)
      return draw(scores, inBatch, new Stream(seed, 3, c, USE.match))
    }),
  }
}

/** The most similar wrong partner; of equal ones the first. */
export function hardestNegatives({ text, image, channels }: PairFeatures, belong: Belong): Negatives {
  const hardest = (scores: Float64Array, isWrong: (i: number) => boolean) => {
    let best = -1
    for (let i = 0; i < scores.length; i++) {
      if (isWrong(i) && (best < 0 || scores[i] > scores[best])) best = i
    }
    return best
  }
  return {
    captions: mapQueries(image, text, channels, (scores, i) => hardest(scores, (c) => !belong(i, c))),
    images: mapQueries(text, image, channels, (scores, c) => hardest(scores, (i) => !belong(i, c))),
  }
}

/** All pairs with these negatives: every caption's own first. */
export function labelledPairs(captionOf: readonly number[], { captions, images }: Negatives): LabelledPair[] {
  return [
    ...captionOf.map((image, caption): LabelledPair => [image, caption, 1]),
    ...captions.map((caption, image): LabelledPair => [image, caption, 0]),
    ...images.map((image, caption): LabelledPair => [image, caption, 0]),
  ].filter(([image, caption]) => image >= 0 && caption >= 0)
}

/** How many of the pairs are told right; a margin of 0, or that is no number, is wrong of both kinds. */
export function matchingReport(pairs: readonly LabelledPair[], margins: Margins): MatchingReport {
  const logits = pairs.flatMap(([image, caption]) => [0, margins[image].get(caption)!])
  const labels = pairs.map(([, , label]) => label)
  const { accuracy, balanced } = matchingAccuracy(logits, labels)
  return { n: pairs.length, accuracy: 100 * accuracy, balanced: 100 * balanced }
}
