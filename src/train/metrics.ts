/**
 * metrics.jsonl of a run: one JSON object a line for every step and every evaluation, in order. Rows of steps that a
 * resumed run does again are removed first, so each step stands there once. A number that is not finite reads null.
 */
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { errorText, message } from '../base/errors.ts'
import type { StepReport, ValidationReport } from './trainer.ts'

interface StepRow extends StepReport {
  kind: 'step'
  /** Ids of the images of a step that was skipped. */
  pictures?: (string | number)[]
}

interface EvaluationRow extends ValidationReport {
  kind: 'evaluation'
}

type Row = StepRow | EvaluationRow
/** A line of the file; times are seconds since the process began its run. */
export type MetricsRow = Row & { seconds: number }

export class Metrics {
  private readonly path: string
  private readonly started = performance.now()

  constructor(path: string) {
    this.path = path
  }

  /** Appends a row. Throws an Error that names the file where it cannot be written. */
  add(row: Row): void {
    const seconds = Math.round(performance.now() - this.started) / 1000
    const { kind, ...rest } = row
    this.attempt('be written', () => appendFileSync(this.path, `${JSON.stringify({ kind, seconds, ...rest })}\n`))
  }

  /** All rows, without a last line that a crash cut short; none where there is no file. */
  read(): MetricsRow[] {
    if (!existsSync(this.path)) return []
    const text = this.attempt('be readable', () => readFileSync(this.path, 'utf8'))
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
    return lines.flatMap((line, i) =>
      line === '' ? [] : [this.attempt(`hold JSON in line ${i + 1}`, () => JSON.parse(line) as MetricsRow)],
    )
  }

  /** Removes rows behind `step`. A kill in the midst leaves the old file. */
  cut(step: number): void {
    const rows = this.read().filter((row) => row.step <= step)
    const temporary = `${this.path}.tmp`
    this.attempt('be written', () => {
      writeFileSync(temporary, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
      renameSync(temporary, this.path)
    })
  }

  private attempt<T>(must: string, action: () => T): T {
    try {
      return action()
    } catch (error) {
      throw new Error(message(this.path, `must ${must}`, errorText(error)), { cause: error })
    }
  }
}
