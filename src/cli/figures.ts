/**
 * Retrieval figures in rows: the model, and what it is measured against. The figures of a model's manifest come from
 * a file that anyone may have written, so their form is checked; what does not fit is left out. The tables of all
 * figures are in figure-sections.ts.
 */
import type { PixelBaseline } from '../evaluate/baseline.ts'
import type { EvaluationReport } from '../evaluate/evaluation.ts'
import type { DirectionReport, Recalls } from '../evaluate/retrieval.ts'
import { table } from './table.ts'

/** What a manifest keeps of a set: the figures of the model, and of its yardsticks on the same set. */
export interface RecordedResult extends EvaluationReport {
  /** Looking up the most similar training picture. */
  pixelBaseline?: PixelBaseline
  /** The same network and recipe without ternary weights. */
  floatTwin?: EvaluationReport
  /** The same network and recipe, for a short while, on pictures with the captions of others. */
  control?: EvaluationReport
}

export interface FigureRow {
  name: string
  t2i: Recalls & Partial<DirectionReport>
  i2t: Recalls & Partial<DirectionReport>
}

/**
 * A result of a manifest, without the parts and yardsticks of another form; undefined where it has another form itself.
 */
export function recordedResult(result: unknown): RecordedResult | undefined {
  const report = evaluationReport(result)
  const { images, captions, chance, pixelBaseline, control } = (result ?? {}) as Partial<RecordedResult>
  if (!report || !areNumbers({ images, captions }, 'images', 'captions') || !hasRecalls(chance)) return undefined
  return {
    ...report,
    pixelBaseline: hasRecalls(pixelBaseline) ? pixelBaseline : undefined,
    floatTwin: evaluationReport((result as Partial<RecordedResult>).floatTwin),
    control: hasRecalls(control) ? control : undefined,
  }
}

/** A report whose tables can be drawn. */
function evaluationReport(value: unknown): EvaluationReport | undefined {
  if (!hasRecalls(value)) return undefined
  const report = value as EvaluationReport
  const { reranked, matching, captioning, text } = report
  const isMatching = (one: unknown) => areNumbers(one, 'n', 'accuracy', 'balanced')
  const isText = (one: unknown) => areNumbers(one, 'perplexity', 'tokenAccuracy')
  const hasCaptions = isCaptions(captioning?.greedy) && isCaptions(captioning?.beam)
  const recalled = <T>(part: T, is: boolean): T => (is ? part : { ...part, recalled: undefined })
  return {
    ...report,
    reranked: hasRecalls(reranked) && areNumbers(reranked, 'top') ? reranked : undefined,
    matching: [matching?.random, matching?.hard, matching?.hardest].every(isMatching) ? matching : undefined,
    captioning: hasCaptions ? recalled(captioning, isCaptions(captioning?.recalled)) : undefined,
    text: isText(text?.plain) ? recalled(text, isText(text?.recalled)) : undefined,
  }
}

function hasRecalls(value: unknown): boolean {
  const { t2i, i2t } = (value ?? {}) as { t2i?: unknown; i2t?: unknown }
  return [t2i, i2t].every((way) => areNumbers(way, 'r1', 'r5', 'r10'))
}

function isCaptions(value: unknown): boolean {
  const { bleu } = (value ?? {}) as { bleu?: unknown }
  return areNumbers(value, 'exact', 'f1', 'cider', 'ciderCeiling') && areNumbers(bleu, '0', '1', '2', '3')
}

function areNumbers(value: unknown, ...keys: string[]): boolean {
  const record = (value ?? {}) as Record<string, unknown>
  return keys.every((key) => Number.isFinite(record[key]))
}

/** The model first, then its yardsticks, chance last. */
export function figureRows(name: string, result: RecordedResult): FigureRow[] {
  const { control, pixelBaseline, chance } = result
  const measured = models(name, result).flatMap(({ name, report: { t2i, i2t, reranked } }) => [
    { name, t2i, i2t },
    ...(reranked ? [{ name: `${name}, best ${reranked.top} re-ranked`, t2i: reranked.t2i, i2t: reranked.i2t }] : []),
  ])
  return [
    ...measured,
    ...(pixelBaseline ? [{ name: 'nearest by pixels', t2i: pixelBaseline.t2i, i2t: pixelBaseline.i2t }] : []),
    ...(control ? [{ name: 'control: shuffled pairs', t2i: control.t2i, i2t: control.i2t }] : []),
    { name: 'chance', ...chance },
  ]
}

/** The cells of one direction: R@1, R@5, R@10, median rank. */
export function figureCells({ r1, r5, r10, medianRank }: FigureRow['t2i']): string[] {
  return [r1.toFixed(1), r5.toFixed(1), r10.toFixed(1), medianRank === undefined ? '-' : String(medianRank)]
}

/** One table, for terminal and page. */
export interface FigureSection {
  title: string
  /** What the numbers are, in a few words, and how they were taken. */
  unit: string
  note: string
  /** Names of the columns with numbers; before them stand the name of a group of rows and that of a row. */
  head: string[]
  rows: { group: string; name: string; cells: string[] }[]
}

/** Retrieval in both directions. */
export function retrievalSection(rows: readonly FigureRow[]): FigureSection {
  const of = (group: string, way: 't2i' | 'i2t') =>
    rows.map((row) => ({ group, name: row.name, cells: figureCells(row[way]) }))
  return {
    title: 'Retrieval',
    unit: 'recall in percent',
    note:
      'How often the right answer is the first, among the first 5, the first 10, and its median place. Ties count ' +
      'against the model. Re-ranked: matching orders the best of each query anew.',
    head: ['R@1', 'R@5', 'R@10', 'median rank'],
    rows: [...of('text to image', 't2i'), ...of('image to text', 'i2t')],
  }
}

/** A section as a table for a terminal. */
export function sectionTable({ head, rows }: FigureSection): string {
  const lines = rows.map(({ group, name, cells }, i) => [group === rows[i - 1]?.group ? '' : group, name, ...cells])
  const numbers = head.map((_, i) => i + 2)
  return table([['', '', ...head], ...lines], numbers)
}

/** The model and its twin, where there is one. */
export function models(name: string, result: RecordedResult): { name: string; report: EvaluationReport }[] {
  return [{ name, report: result }, ...(result.floatTwin ? [{ name: 'float twin', report: result.floatTwin }] : [])]
}
