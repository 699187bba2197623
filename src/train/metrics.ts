/**
 * metrics.jsonl of a run: one JSON object a line for every start, step and evaluation, in order. Rows of steps that a
 * resumed run does again are removed first, so each step stands there once. A number that is not finite reads null.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { attempt } from '../base/errors.ts'
import { replaceFile } from '../io/replace-file.ts'
import type { StartRow } from './record.ts'
import type { StepReport, ValidationReport } from './trainer.ts'

export interface StepRow extends StepReport {
  kind: 'step'
  /** Since the process began its part of the run. */
  seconds: number
  /** Ids of the images of a step that was skipped. */
  pictures?: (string | number)[]
}

export interface EvaluationRow extends ValidationReport {
  kind: 'evaluation'
  seconds: number
}

export type MetricsRow = StartRow | StepRow | EvaluationRow

export class Metrics {
  private readonly path: string
  private readonly started = performance.now()

  constructor(path: string) {
    this.path = path
  }

  /** Seconds since this process began its part of the run, to the millisecond. */
  get seconds(): number {
    return Math.round(performance.now() - this.started) / 1000
  }

  /** Appends a row. Throws an Error that names the file where it cannot be written. */
  add(row: MetricsRow): void {
    attempt(this.path, 'must be written', () => appendFileSync(this.path, lineOf(row)))
  }

  /** All rows; none where there is no file. */
  read(): MetricsRow[] {
    return existsSync(this.path) ? readMetrics(this.path) : []
  }

  /** Removes rows behind `step`. A kill in the midst leaves the old file. */
  cut(step: number): void {
    const rows = this.read().filter((row) => row.step <= step)
    replaceFile(this.path, Buffer.from(rows.map(lineOf).join('')))
  }
}

/**
 * The rows of a metrics file, whole lines only: a crash may have cut the last. Throws an Error that names the file and
 * the line where it cannot be read.
 */
export function readMetrics(path: string): MetricsRow[] {
  const text = attempt(path, 'must be readable', () => readFileSync(path, 'utf8'))
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return lines.flatMap((line, i) =>
    line === '' ? [] : [attempt(path, `must hold JSON in line ${i + 1}`, () => JSON.parse(line) as MetricsRow)],
  )
}

/** Seconds of all parts of a run together: they count anew from each start. */
export function secondsOf(rows: readonly MetricsRow[]): number {
  let sum = 0
  let before = 0
  for (const row of rows) {
    if (row.kind !== 'start') sum += row.seconds - before
    before = row.kind === 'start' ? 0 : row.seconds
  }
  return sum
}

function lineOf(row: MetricsRow): string {
  return `${JSON.stringify(row)}\n`
}
