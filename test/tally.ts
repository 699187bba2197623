/**
 * Reads what one uvu file printed. uvu exits with 0 where no test ran and where a suite was never started, so the
 * counts and the source of the file decide, not the exit code alone.
 */

export interface Tally {
  passed: number
  failed: number
  skipped: number
  /** Why the file itself counts as a failure: it crashed, ran nothing, or left a suite out. */
  problem?: string
}

/** Suites that a test file declares and never starts with `.run()`. */
export function forgottenSuites(source: string): string[] {
  const declared = Array.from(source.matchAll(/(?:const|let) (\w+) = suite(?:<[^>]*>)?\(/g), ([, name]) => name)
  if (/import \{[^}]*\btest\b[^}]*\} from 'uvu'/.test(source)) declared.push('test')
  return declared.filter((name) => !source.includes(`${name}.run()`))
}

/** Counts of one file from its source, its output and its exit code (null: killed by a signal). */
export function tally(source: string, output: string, code: number | null): Tally {
  const count = (label: string) => Number(new RegExp(`^ {2}${label}:\\s+(\\d+)$`, 'm').exec(output)?.[1] ?? -1)
  const [total, passed, skipped] = ['Total', 'Passed', 'Skipped'].map(count)
  if (total < 0) return { passed: 0, failed: 1, skipped: 0, problem: `ended before its tests did (exit code ${code})` }
  const result: Tally = { passed, failed: total - passed, skipped }
  const forgotten = forgottenSuites(source)
  if (forgotten.length > 0) result.problem = `never starts ${forgotten.map((name) => `${name}.run()`).join(', ')}`
  else if (total + skipped === 0) result.problem = 'ran no test'
  else if (code !== 0 && result.failed === 0) result.problem = `ended with exit code ${code}`
  return result.problem === undefined ? result : { ...result, failed: result.failed + 1 }
}
