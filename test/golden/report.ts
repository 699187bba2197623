/**
 * Rows of the golden comparison: how far a quantity is from the stored one, and how far it may be.
 */
import type { Numbers } from './files.ts'

export interface Row {
  quantity: string
  error: number
  tolerance: number
}

export interface Report {
  file: string
  rows: Row[]
  /** Quantities of the file that nothing here computes, by group. */
  notCovered: string[]
}

/** max|got - want| and rms(got - want), both over rms(want); infinite where a number is missing or not one. */
export function deviation(got: Numbers, want: Numbers): { max: number; rms: number } {
  if (got.length !== want.length) return { max: Infinity, rms: Infinity }
  let [max, squares, wanted] = [0, 0, 0]
  for (let i = 0; i < want.length; i++) {
    const d = Math.abs(got[i] - want[i])
    if (!Number.isFinite(d)) return { max: Infinity, rms: Infinity }
    max = Math.max(max, d)
    squares += d * d
    wanted += want[i] * want[i]
  }
  const scale = Math.max(Math.sqrt(wanted / want.length), 1e-30)
  return { max: max / scale, rms: Math.sqrt(squares / want.length) / scale }
}

/** Largest difference, for what must be equal. */
export function difference(got: Numbers, want: Numbers): number {
  if (got.length !== want.length) return Infinity
  return Array.from(want).reduce((worst, w, i) => Math.max(worst, Math.abs(got[i] - w)), 0)
}

/** 1 - cosine of two vectors, each the concatenation of `parts`. */
export function oneMinusCosine(parts: readonly (readonly [Numbers, Numbers])[]): number {
  let [dot, a, b] = [0, 0, 0]
  for (const [x, y] of parts) {
    for (let i = 0; i < y.length; i++) {
      dot += x[i] * y[i]
      a += x[i] * x[i]
      b += y[i] * y[i]
    }
  }
  return 1 - dot / Math.sqrt(a * b)
}

export function passed({ error, tolerance }: Row): boolean {
  return error <= tolerance
}

/** Report as lines: what failed, or with `all` every row. */
export function printReport({ file, rows, notCovered }: Report, all: boolean): string {
  const lines = rows
    .filter((row) => all || !passed(row))
    .map((row) => {
      const verdict = passed(row) ? 'ok  ' : 'FAIL'
      return `${verdict} ${file} ${row.quantity}: ${row.error.toExponential(1)} (tolerance ${row.tolerance})`
    })
  if (notCovered.length > 0) lines.push(`     ${file} not yet covered: ${notCovered.join(', ')}`)
  return lines.join('\n')
}
