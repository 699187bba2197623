/**
 * Scores of generated captions against references (model.md section 9): exact match, F1 of content words, BLEU-1..4
 * (Papineni et al. 2002) and CIDEr-D (Vedantam et al. 2015), the last two by the definitions of coco-caption.
 * Words come from a plain split in place of Stanford's PTBTokenizer, so figures compare within this project and only
 * closely with published ones. CIDEr-D depends on the evaluated set, which gives its document frequencies: compare
 * models on the same pictures, and read it beside its ceiling, which for captions below four words is not 10.
 */
import { requireThat } from '../base/errors.ts'
import { exp, log } from '../base/math.ts'

/** A generated caption and what people wrote of the same picture. */
export interface CaptionPair {
  hypothesis: string
  references: readonly string[]
}

export interface CaptionScores {
  /** Pictures. */
  n: number
  /** Percent of hypotheses that are one of their references after lower-casing and collapsing white space. */
  exact: number
  /** Percent, mean over pictures: F1 of the words without a, an, the, as a bag, with the reference it is best for. */
  f1: number
  /** BLEU-1, 2, 3, 4 of the whole corpus, percent. */
  bleu: [number, number, number, number]
  /** CIDEr-D, mean over pictures, 0 to 10. */
  cider: number
  /**
   * CIDEr-D if every hypothesis were that of its references which scores best. The most one can reach where pictures
   * have one reference; of several, a caption between them may score above.
   */
  ciderCeiling: number
}

/** N-grams of up to this many words, in BLEU and in CIDEr. */
const MAX_ORDER = 4
/** Deviation of CIDEr-D's penalty on the difference of lengths, in words. */
const SIGMA = 6
const ARTICLES = new Set(['a', 'an', 'the'])

const CLITIC = /'(?:s|m|d|ll|re|ve)(?![\p{L}\p{N}])/u
const WORD = /[\p{L}\p{M}\p{N}]+(?:(?:['-]|(?<=\d)[.,](?=\d))[\p{L}\p{M}\p{N}]+)*/u
const SYMBOL = /[^\s.,:;?!'"`(){}“”…–—-]/u
const TOKEN = new RegExp(`${CLITIC.source}|${WORD.source}|${SYMBOL.source}`, 'gu')

/** N-grams by count; words are joined by spaces. */
type Bag = Map<string, number>

interface Caption {
  text: string
  words: string[]
  /** By order: [0] holds single words. */
  grams: Bag[]
}

interface Picture {
  hypothesis: Caption
  references: Caption[]
}

/** All scores of one set of captions. Throws a RangeError where it is empty or a picture has no reference. */
export function scoreCaptions(pairs: readonly CaptionPair[]): CaptionScores {
  requireThat(pairs.length > 0, 'captions', 'there must be a picture')
  const bare = pairs.findIndex(({ references }) => references.length === 0)
  requireThat(bare < 0, 'captions', 'every picture must have a reference', `none for picture ${bare}`)
  const pictures = pairs.map(({ hypothesis, references }) => ({
    hypothesis: parse(hypothesis),
    references: references.map(parse),
  }))
  return {
    n: pictures.length,
    exact: 100 * mean(pictures.map(exactMatch)),
    f1: 100 * mean(pictures.map(bestF1)),
    bleu: bleu(pictures),
    ...ciderD(pictures),
  }
}

/**
 * Words of a caption in lower case: letters and digits, also across an inner hyphen or apostrophe (t-shirt, o'clock)
 * and, between digits, a point or comma. As the Penn Treebank does, 's, 'm, 'd, 'll, 're, 've and n't are words of
 * their own. Dropped are what coco-caption drops after tokenising: . , : ; ? ! - ' " ` and round and curly brackets,
 * with their typographic forms. Any other symbol is a word.
 */
export function words(text: string): string[] {
  const split = text
    .toLowerCase()
    .replace(/[‘’]/g, "'")
    .replace(/(?<=[\p{L}\p{N}])(?:n't|'(?:s|m|d|ll|re|ve))(?![\p{L}\p{N}])/gu, ' $&')
  return split.match(TOKEN) ?? []
}

/** What exact matches compare: lower case, white space collapsed. */
export function plainText(text: string): string {
  return text.toLowerCase().trim().replace(/\s+/g, ' ')
}

function parse(text: string): Caption {
  const all = words(text)
  const grams = Array.from({ length: MAX_ORDER }, (_, k) =>
    bagOf(Array.from({ length: Math.max(0, all.length - k) }, (_, i) => all.slice(i, i + k + 1).join(' '))),
  )
  return { text: plainText(text), words: all, grams }
}

function bagOf(items: readonly string[]): Bag {
  const bag: Bag = new Map()
  for (const item of items) bag.set(item, (bag.get(item) ?? 0) + 1)
  return bag
}

function exactMatch({ hypothesis, references }: Picture): number {
  return references.some(({ text }) => text === hypothesis.text) ? 1 : 0
}

/** F1 = 2 shared / (words of both), 0 where neither has a content word. */
function bestF1({ hypothesis, references }: Picture): number {
  const own = contentWords(hypothesis)
  const scores = references.map((reference) => {
    const other = contentWords(reference)
    return ratio(2 * shared(bagOf(own), bagOf(other)), own.length + other.length)
  })
  return Math.max(...scores)
}

function contentWords({ words }: Caption): string[] {
  return words.filter((word) => !ARTICLES.has(word))
}

/** Sum over items of the smaller count. */
function shared(a: Bag, b: Bag): number {
  let sum = 0
  for (const [item, count] of a) sum += Math.min(count, b.get(item) ?? 0)
  return sum
}

/**
 * BLEU-n = BP (p_1 ... p_n)^(1/n), percent. p_k is the share of k-grams of all hypotheses that their references have,
 * each counted at most as often as in the reference that has it most. BP = exp(1 - r/c) where the c words of all
 * hypotheses are fewer than r, the sum of the reference lengths closest to each, the shorter of two. An order without
 * a match gives 0, where coco-caption adds 1e-15 to the matches and prints a trace.
 */
function bleu(pictures: readonly Picture[]): [number, number, number, number] {
  let [c, r] = [0, 0]
  const matches = new Array<number>(MAX_ORDER).fill(0)
  const guesses = new Array<number>(MAX_ORDER).fill(0)
  for (const { hypothesis, references } of pictures) {
    c += hypothesis.words.length
    r += closestLength(hypothesis, references)
    for (let k = 0; k < MAX_ORDER; k++) {
      guesses[k] += Math.max(0, hypothesis.words.length - k)
      matches[k] += shared(hypothesis.grams[k], largestCounts(references.map(({ grams }) => grams[k])))
    }
  }
  const brevity = c < r ? exp(1 - r / c) : 1
  const upTo = (n: number) => {
    let logs = 0
    for (let k = 0; k < n; k++) logs += log(ratio(matches[k], guesses[k]))
    return 100 * brevity * exp(logs / n)
  }
  return [upTo(1), upTo(2), upTo(3), upTo(4)]
}

function closestLength({ words }: Caption, references: readonly Caption[]): number {
  const lengths = references.map((reference) => reference.words.length).sort((a, b) => a - b)
  const distance = (length: number) => Math.abs(length - words.length)
  return lengths.reduce((best, length) => (distance(length) < distance(best) ? length : best))
}

function largestCounts(bags: readonly Bag[]): Bag {
  const largest: Bag = new Map()
  for (const bag of bags) for (const [item, count] of bag) largest.set(item, Math.max(count, largest.get(item) ?? 0))
  return largest
}

/** A caption's n-grams weighted by tf-idf, by order, with the sums of squared weights. */
interface Weighted {
  length: number
  weights: Bag[]
  squares: number[]
}

/**
 * CIDEr-D of the hypotheses and its ceiling. Weight of an n-gram: its count times log(pictures / df), df being the
 * pictures with a reference that has it, at least 1. Score of a picture: 10 times the mean of `similarity` over its
 * references and the four orders. With one picture every weight is 0, and so is the score.
 */
function ciderD(pictures: readonly Picture[]): Pick<CaptionScores, 'cider' | 'ciderCeiling'> {
  const frequency = bagOf(
    pictures.flatMap(({ references }) => [
      ...new Set(references.flatMap(({ grams }) => grams.flatMap((bag) => [...bag.keys()]))),
    ]),
  )
  const weigh = ({ words, grams }: Caption): Weighted => {
    const weights = grams.map(
      (bag) => new Map(Array.from(bag, ([gram, n]) => [gram, n * log(pictures.length / (frequency.get(gram) ?? 1))])),
    )
    const squares = weights.map((bag) => Array.from(bag.values()).reduce((sum, w) => sum + w * w, 0))
    return { length: words.length, weights, squares }
  }
  const scores = pictures.map(({ hypothesis, references }) => {
    const others = references.map(weigh)
    const score = (one: Weighted) => 10 * mean(others.map((other) => similarity(one, other)))
    return { own: score(weigh(hypothesis)), best: Math.max(...others.map(score)) }
  })
  return { cider: mean(scores.map(({ own }) => own)), ciderCeiling: mean(scores.map(({ best }) => best)) }
}

/**
 * exp(-d^2 / (2 sigma^2)) times the mean over orders of sum min(h, r) r / (|h| |r|), d being the difference of
 * lengths; an order in which either vector is 0 counts as 0. Of equal captions each other order is exactly 1.
 */
function similarity(hypothesis: Weighted, reference: Weighted): number {
  const cosines = hypothesis.weights.map((bag, k) => {
    let dot = 0
    for (const [gram, weight] of bag) {
      const other = reference.weights[k].get(gram) ?? 0
      dot += Math.min(weight, other) * other
    }
    return ratio(dot, Math.sqrt(hypothesis.squares[k] * reference.squares[k]))
  })
  const d = hypothesis.length - reference.length
  return mean(cosines) * exp(-(d * d) / (2 * SIGMA * SIGMA))
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** a / b, 0 where b is 0. */
function ratio(a: number, b: number): number {
  return b === 0 ? 0 : a / b
}
