/** The rows of metrics.jsonl, one JSON object a line: starts, steps, evaluations. */
import { readFileSync } from 'node:fs'
import type { StartRow } from './record.ts'
import type { StepReport, ValidationReport } from './trainer.ts'

/** Times are seconds since the process began its part of the run. */
export type MetricsRow =
  | StartRow
  | ({ kind: 'step'; seconds: number; pictures?: number[] } & StepReport)
  | ({ kind: 'evaluation'; seconds: number } & ValidationReport)

/** The rows of a metrics file, whole lines only: a crash may have cut the last. */
export function readMetrics(path: string): MetricsRow[] {
  const text = readFileSync(path, 'utf8')
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as MetricsRow)
}
