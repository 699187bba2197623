/**
 * From which similarity on a query counts as something taught (model.md section 6): with 20 concepts taught, 5 % of the
 * queries that show another concept are accepted. For pictures, for texts, and for pictures with their texts. It holds for
 * pictures like those that it was measured on; where they are more alike, or less, so is the share.
 */
import { requireThat } from '../base/errors.ts'
import { drawSome, Stream, USE } from '../base/rng.ts'
import type { Scope } from '../io/model-file.ts'
import {
  drawOne,
  readDrawings,
  sharedConcepts,
  similarities,
  type Drawing,
  type Kind,
  type LabelledPicture,
  type Pupil,
} from './drawings.ts'
import type { Progress } from './progress.ts'

export interface ScopeOptions {
  /** Concepts that are taught at a time. Default 20. */
  taught?: number
  /** How often they are drawn anew. Default 200. */
  draws?: number
  /** Default 0. */
  seed?: number
}

/** In percent, over all draws. */
export interface ScopeShares {
  /** Of the queries that show another concept than those taught, how many are in scope. */
  accepted: number
  /** Of the others, how many are in scope and nearest to the drawing of their own concept. */
  recognised: number
}

export interface ScopeReport {
  scope: Scope
  /** That are drawn from. */
  concepts: number
  shares: Record<Kind, ScopeShares>
}

const KINDS = ['image', 'text', 'code'] as const
/** Share of the queries of other concepts that the thresholds accept. */
const ACCEPTED = 0.05
/** Thresholds lie this far above the first similarity that is refused. */
const ABOVE = 1e-9
/** A query and what it is nearest to. */
interface Answer {
  similarity: number
  /** Whether its concept was taught, and whether the nearest is of it. */
  known: boolean
  right: boolean
}

/** Thresholds of a model by two sets that show the same concepts; pictures of `taught` that `queries` lack are not read. */
export async function measureScope(
  model: Pupil,
  taught: readonly LabelledPicture[],
  queries: readonly LabelledPicture[],
  { progress, ...options }: ScopeOptions & { progress: Progress },
): Promise<ScopeReport> {
  const asked = new Set(queries.map(({ concept }) => concept))
  const lessons = taught.filter(({ concept }) => asked.has(concept))
  return scopeOf(await readDrawings(model, lessons, progress), await readDrawings(model, queries, progress), options)
}

/** The thresholds, and what they do on the drawings that they were taken from. Throws as `scopeShares` does. */
export function scopeOf(
  taught: readonly Drawing[],
  queries: readonly Drawing[],
  options: ScopeOptions = {},
): ScopeReport {
  const threshold = (kind: Kind) => thresholdOf(answersOf(taught, queries, kind, options))
  const scope = { image: threshold('image'), text: threshold('text'), code: threshold('code') }
  return { scope, ...scopeShares(scope, taught, queries, options) }
}

/** What thresholds do on any drawings. Throws a RangeError where the sets share too few concepts to draw from. */
export function scopeShares(
  scope: Scope,
  taught: readonly Drawing[],
  queries: readonly Drawing[],
  options: ScopeOptions = {},
): Omit<ScopeReport, 'scope'> {
  const shares = KINDS.map((kind) => {
    const answers = answersOf(taught, queries, kind, options)
    return [kind, sharesOf(answers, scope[kind])] as const
  })
  const concepts = sharedConcepts(taught, queries).length
  return { concepts, shares: Object.fromEntries(shares) as ScopeReport['shares'] }
}

/** In every draw one drawing is taught of some of the concepts that both sets show; then all queries are asked. */
function answersOf(
  drawings: readonly Drawing[],
  queries: readonly Drawing[],
  kind: Kind,
  { taught = 20, draws = 200, seed = 0 }: ScopeOptions,
): Answer[] {
  const shared = sharedConcepts(drawings, queries)
  const fits = taught >= 1 && taught < shared.length
  requireThat(fits, 'scope', `the sets must share more than ${taught} concepts`, shared.length)
  const scores = similarities(drawings, queries, kind)
  return Array.from({ length: draws }, (_, draw) => {
    const stream = new Stream(seed, draw, taught, USE.episode)
    const memory = drawSome(shared, taught, stream).map((concept) => drawOne(concept.taught, stream))
    const known = new Set(memory.map((entry) => drawings[entry].concept))
    return queries.map(({ concept }, query): Answer => {
      const nearest = memory.reduce((best, entry) => (scores[query][entry] > scores[query][best] ? entry : best))
      const right = drawings[nearest].concept === concept
      return { similarity: scores[query][nearest], known: known.has(concept), right }
    })
  }).flat()
}

/** The lowest threshold that accepts no more than 5 % of the queries of other concepts. */
function thresholdOf(answers: readonly Answer[]): number {
  const others = Float64Array.from(answers.filter(({ known }) => !known).map(({ similarity }) => similarity)).sort()
  return others[others.length - 1 - Math.floor(ACCEPTED * others.length)] + ABOVE
}

function sharesOf(answers: readonly Answer[], threshold: number): ScopeShares {
  const percent = (known: boolean, counts: (answer: Answer) => boolean) => {
    const all = answers.filter((answer) => answer.known === known)
    return (100 * all.filter(counts).length) / all.length
  }
  const inScope = ({ similarity }: Answer) => similarity >= threshold
  return {
    accepted: percent(false, inScope),
    recognised: percent(true, (answer) => answer.right && inScope(answer)),
  }
}
