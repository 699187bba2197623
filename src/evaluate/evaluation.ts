/**
 * The whole evaluation of a model on captioned pictures (model.md section 9): retrieval, matching, retrieval re-ranked by
 * matching, captions and the loss of true captions, without and with the memory. What a model was not trained for is
 * absent. All draws come from one seed: a model has one report on a set. Pictures are decoded twice, once for all
 * features and once for what reads picture and text together, so memory does not grow with their size.
 */
import { exp } from '../base/math.ts'
import type { CaptionedImage } from '../data/coco.ts'
import { scoreCaptions, type CaptionScores } from './captions.ts'
import { pictureFeatures, textFeatures } from './features.ts'
import {
  belonging,
  drawnNegatives,
  hardestNegatives,
  labelledPairs,
  matchingReport,
  randomNegatives,
  type LabelledPair,
  type Margins,
  type MatchingReport,
} from './pairs.ts'
import type { Progress } from './progress.ts'
import { textScores, type TextScores } from './reconstruction.ts'
import { candidates, rerank, type Candidates } from './rerank.ts'
import {
  retrievalRanks,
  retrievalReport,
  summarise,
  type DirectionReport,
  type RetrievalRanks,
  type RetrievalReport,
} from './retrieval.ts'
import type { Subject } from './subject.ts'
import { readTogether, type Reading } from './together.ts'

export interface EvaluationReport extends RetrievalReport {
  /** Retrieval with the `top` best of every query in the order of matching. */
  reranked?: { top: number; t2i: DirectionReport; i2t: DirectionReport }
  /** On wrong partners drawn evenly, drawn as in training, and the hardest ones of the set (pairs.ts). */
  matching?: Record<Hardness, MatchingReport>
  /** Captions from the picture alone, and with what a memory reads that was taught the picture with its caption. */
  captioning?: { greedy: CaptionScores; beam: CaptionScores; recalled?: CaptionScores }
  /** The first caption of each picture foretold token by token, without and with the memory. */
  text?: { plain: TextScores; recalled?: TextScores }
}

export type Hardness = 'random' | 'hard' | 'hardest'

/** What was found of one picture. */
export interface PictureResult {
  path: string
  captions: readonly string[]
  /** The caption that is most like it, and the rank of the first of its own. */
  nearest: string
  rank: number
  /** The greedy caption. */
  said?: string
  /** Probability that its first caption belongs to it, and the most similar wrong one. */
  own?: number
  wrong?: { caption: string; probability: number }
}

export interface Evaluation {
  report: EvaluationReport
  /** Those that could be read, in the order of the set. */
  pictures: PictureResult[]
}

export interface EvaluateOptions {
  /** Candidates of each query that matching orders anew; 0: none. Default 10. */
  rerank?: number
  progress: Progress
}

/** Default of `rerank`. */
export const RERANKED = 10
export const SEED = 0

type Entry = Pick<CaptionedImage, 'path' | 'captions' | 'concept'>

/** What the features alone say, and the pairs that matching is to be asked about. */
interface Survey {
  entries: readonly Entry[]
  captions: readonly string[]
  captionOf: readonly number[]
  found: RetrievalRanks
  /** The best of each query; one where none are to be ranked anew. */
  best: { t2i: Candidates[]; i2t: Candidates[] }
  pairs: Record<Hardness, LabelledPair[]>
  /** The most similar wrong caption of each image, -1 where there is none. */
  hardest: readonly number[]
}

/** Measures a model on a set. Pictures that cannot be read are noted and left out; throws where none can. */
export async function evaluate(
  subject: Subject,
  set: readonly Entry[],
  { rerank: top = RERANKED, progress }: EvaluateOptions,
): Promise<Evaluation> {
  const survey = await surveyOf(subject, set, top, progress)
  const { entries, captions, captionOf, found, pairs } = survey
  const margins: Margins = entries.map(() => new Map())
  if (subject.canMatch) ask(margins, survey, top)
  const reads = subject.canMatch || subject.canCaption
  const readings = reads ? await readTogether(subject, entries, captions, margins, { seed: SEED, progress }) : []
  const report: EvaluationReport = {
    ...retrievalReport(found, captionOf),
    ...(subject.canMatch && top > 0 ? { reranked: rerankedReport(survey, margins, top, subject) } : {}),
    ...(subject.canMatch
      ? {
          matching: {
            random: matchingReport(pairs.random, margins),
            hard: matchingReport(pairs.hard, margins),
            hardest: matchingReport(pairs.hardest, margins),
          },
        }
      : {}),
    ...(subject.canCaption ? readingReport(readings, entries) : {}),
  }
  return { report, pictures: entries.map((_, i) => pictureResult(survey, i, margins[i], readings[i])) }
}

async function surveyOf(subject: Subject, set: readonly Entry[], top: number, progress: Progress): Promise<Survey> {
  const paths = set.map(({ path }) => path)
  const { readable, image } = await pictureFeatures(subject, paths, progress)
  const entries = readable.map((i) => set[i])
  const captions = entries.flatMap((entry) => entry.captions)
  const captionOf = entries.flatMap((entry, i) => entry.captions.map(() => i))
  const text = textFeatures(subject, captions, progress)
  const { channels } = subject.manifest
  const features = { text, image, channels }
  const own = entries.map((_, i) => i)
  const k = Math.max(1, top)
  const pool = { concepts: entries.map(({ concept }) => concept), captions, captionOf }
  const belong = belonging(pool)
  const { temperature } = subject.manifest
  const hardest = hardestNegatives(features, belong)
  return {
    entries,
    captions,
    captionOf,
    found: retrievalRanks({ ...features, captionOf }),
    best: {
      t2i: candidates(text, image, channels, captionOf, own, k),
      i2t: candidates(image, text, channels, own, captionOf, k),
    },
    pairs: {
      random: labelledPairs(captionOf, randomNegatives(pool, belong, SEED)),
      hard: labelledPairs(captionOf, drawnNegatives(features, temperature, captionOf, belong, SEED)),
      hardest: labelledPairs(captionOf, hardest),
    },
    hardest: hardest.captions,
  }
}

/** Puts the pairs down that matching is to be asked about. */
function ask(margins: Margins, { pairs, best }: Survey, top: number): void {
  for (const [image, caption] of Object.values(pairs).flat()) margins[image].set(caption, NaN)
  if (top === 0) return
  best.t2i.forEach(({ items }, caption) => items.forEach((image) => margins[image].set(caption, NaN)))
  best.i2t.forEach(({ items }, image) => items.forEach((caption) => margins[image].set(caption, NaN)))
}

function rerankedReport(
  { captionOf, found, best }: Survey,
  margins: Margins,
  top: number,
  { manifest: { temperature } }: Subject,
): EvaluationReport['reranked'] {
  const direction = (
    ranks: Int32Array,
    lists: Candidates[],
    pairOf: (query: number, item: number) => [number, number],
  ) => {
    const anew = lists.map(({ items, similarities }, query) => {
      const pairs = items.map((item) => pairOf(query, item))
      const scores = pairs.map(([image, caption], i) => {
        return similarities[i] / temperature + margins[image].get(caption)!
      })
      return rerank(
        ranks[query],
        scores,
        pairs.map(([image, caption]) => captionOf[caption] === image),
      )
    })
    return summarise(Int32Array.from(anew))
  }
  return {
    top,
    t2i: direction(found.t2i, best.t2i, (caption, image) => [image, caption]),
    i2t: direction(found.i2t, best.i2t, (image, caption) => [image, caption]),
  }
}

/** Captions against all captions of their picture, and how the first of these was foretold. */
function readingReport(
  readings: readonly Reading[],
  entries: readonly Entry[],
): Pick<EvaluationReport, 'captioning' | 'text'> {
  const scored = (said: readonly string[]) =>
    scoreCaptions(said.map((hypothesis, i) => ({ hypothesis, references: entries[i].captions })))
  const recalled = readings.flatMap((reading) => reading.recalled ?? [])
  const remembers = recalled.length > 0
  return {
    captioning: {
      greedy: scored(readings.map(({ greedy }) => greedy)),
      beam: scored(readings.map(({ beam }) => beam)),
      ...(remembers ? { recalled: scored(recalled.map(({ caption }) => caption)) } : {}),
    },
    text: {
      plain: textScores(readings.flatMap(({ foretold }) => foretold)),
      ...(remembers ? { recalled: textScores(recalled.flatMap(({ foretold }) => foretold)) } : {}),
    },
  }
}

function pictureResult(
  { entries, captions, captionOf, found, best, hardest }: Survey,
  image: number,
  margins: Margins[number],
  reading: Reading | undefined,
): PictureResult {
  const probability = (caption: number) => {
    const margin = margins.get(caption)
    return margin === undefined ? undefined : 1 / (1 + exp(-margin))
  }
  const wrong = probability(hardest[image])
  return {
    path: entries[image].path,
    captions: entries[image].captions,
    nearest: captions[best.i2t[image].items[0]],
    rank: found.i2t[image],
    said: reading?.greedy,
    own: probability(captionOf.indexOf(image)),
    wrong: wrong === undefined ? undefined : { caption: captions[hardest[image]], probability: wrong },
  }
}
