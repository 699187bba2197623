/**
 * Retrieval figures in rows: the model, and what it is measured against. The figures of a model's manifest come from
 * a file that anyone may have written, so their form is checked; what does not fit is left out.
 */
import type { PixelBaseline } from '../evaluate/baseline.ts'
import type { DirectionReport, Recalls, RetrievalReport } from '../evaluate/retrieval.ts'
import { table } from './format.ts'

/** What a manifest keeps of a set: the figures of the model, and of its yardsticks on the same set. */
export interface RecordedResult extends RetrievalReport {
  /** Looking up the most similar training picture. */
  pixelBaseline?: PixelBaseline
  /** The same network and recipe without ternary weights. */
  floatTwin?: RetrievalReport
  /** The same network and recipe, for a short while, on pictures with the captions of others. */
  control?: RetrievalReport
}

export interface FigureRow {
  name: string
  t2i: Recalls & Partial<DirectionReport>
  i2t: Recalls & Partial<DirectionReport>
}

/** A result of a manifest, without yardsticks of another form; undefined where it has another form itself. */
export function recordedResult(result: unknown): RecordedResult | undefined {
  const report = result as Partial<RecordedResult> | null | undefined
  if (!hasRecalls(report) || !report?.chance?.t2i) return undefined
  const yardstick = <T>(one: T) => (hasRecalls(one) ? one : undefined)
  return {
    ...(report as RecordedResult),
    pixelBaseline: yardstick(report.pixelBaseline),
    floatTwin: yardstick(report.floatTwin),
    control: yardstick(report.control),
  }
}

function hasRecalls(one: unknown): boolean {
  const { t2i, i2t } = (one ?? {}) as { t2i?: Partial<Recalls>; i2t?: Partial<Recalls> }
  return typeof t2i?.r1 === 'number' && typeof i2t?.r1 === 'number'
}

/** The model first, then its yardsticks, chance last. */
export function figureRows(name: string, result: RecordedResult): FigureRow[] {
  const { t2i, i2t, floatTwin, control, pixelBaseline, chance } = result
  return [
    { name, t2i, i2t },
    ...(floatTwin ? [{ name: 'float twin', t2i: floatTwin.t2i, i2t: floatTwin.i2t }] : []),
    ...(pixelBaseline ? [{ name: 'nearest by pixels', t2i: pixelBaseline.t2i, i2t: pixelBaseline.i2t }] : []),
    ...(control ? [{ name: 'control: shuffled pairs', t2i: control.t2i, i2t: control.i2t }] : []),
    { name: 'chance', ...chance },
  ]
}

/** The cells of one direction: R@1, R@5, R@10, median rank. */
export function figureCells({ r1, r5, r10, medianRank }: FigureRow['t2i']): string[] {
  return [r1.toFixed(1), r5.toFixed(1), r10.toFixed(1), medianRank === undefined ? '-' : String(medianRank)]
}

/** Both directions as a table for a terminal. */
export function figureTable(rows: readonly FigureRow[]): string {
  const of = (title: string, way: 't2i' | 'i2t') =>
    rows.map((row, i) => [i === 0 ? title : '', row.name, ...figureCells(row[way])])
  const head = ['', '', 'R@1', 'R@5', 'R@10', 'median rank']
  return table([head, ...of('text to image', 't2i'), ...of('image to text', 'i2t')], [2, 3, 4, 5])
}
