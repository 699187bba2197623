/**
 * Whether kernels got worse between two runs: what each reached of the peak of its own run, never times, so that runs of
 * different days and clocks compare. Of the same machine and engine they must be: peaks scale with neither caches nor
 * compilers.
 */
import { readFileSync } from 'node:fs'
import { ISAS, type Isa } from '../src/abi.ts'
import { errorText, message, requireThat } from '../src/base/errors.ts'
import type { KernelRow, productsOf } from './kernels.ts'
import type { Results } from './results.ts'

/** What something reached of the peak of its run. */
export interface Share {
  name: string
  share: number
}

export interface Comparison {
  name: string
  /** Null where one of the runs has no such row. */
  before: number | null
  now: number | null
  /** The share fell below `factor` of what it was. */
  worse: boolean
}

/** Part of its former share that a row must still reach. */
export const FACTOR = 0.85

/** Kernels by name without their tile, which a better one may change; of several the best. */
export function kernelShares(rows: ReturnType<typeof productsOf>): Share[] {
  const best = new Map<string, number>()
  for (const { name, shape, gmacs, peak } of rows) {
    const { M, K, N } = shape
    const key = `${name.replace(/__m\d+n\d+/, '')} ${N === 0 ? `M${M} K${K}` : `M${M} K${K} N${N}`}`
    best.set(key, Math.max(best.get(key) ?? 0, gmacs / peak))
  }
  return Array.from(best, ([name, share]) => ({ name, share }))
}

/** The same of rows as they are measured and kept, those bound by memory included. */
export function rowShares(rows: readonly KernelRow[]): Share[] {
  return kernelShares(rows.map(({ rate, peak, ...row }) => ({ ...row, gmacs: rate, peak: peak.rate })))
}

/** Everything of a results file that is held against a peak of its run. */
export function sharesOf({ kernels, model, train }: Results): Share[] {
  const image = model ? [{ name: `image to vector of ${model.name}`, share: model.image.share }] : []
  const stages = train?.stages.map(({ name, matmuls }) => ({ name: `training, ${name}`, share: matmuls.ofPeak })) ?? []
  return [...rowShares(kernels?.rows ?? []), ...image, ...stages]
}

/** Row by row, in the order of the first run; what only the second has comes last. */
export function compareShares(before: readonly Share[], now: readonly Share[], factor = FACTOR): Comparison[] {
  const find = (shares: readonly Share[], name: string) => shares.find((one) => one.name === name)?.share ?? null
  const names = new Set([...before, ...now].map(({ name }) => name))
  return Array.from(names, (name) => {
    const [old, fresh] = [find(before, name), find(now, name)]
    return { name, before: old, now: fresh, worse: old !== null && fresh !== null && fresh < factor * old }
  })
}

/** The rows as a table. */
export function comparisonText(rows: readonly Comparison[]): string {
  const percent = (share: number | null) => (share === null ? '-' : `${(100 * share).toFixed(0)} %`).padStart(7)
  return rows
    .map(({ name, before, now, worse }) => {
      const factor = before !== null && now !== null ? `x ${(now / before).toFixed(2)}` : ''
      return `  ${name.padEnd(60)} ${percent(before)} ${percent(now)}  ${factor}${worse ? '  WORSE' : ''}`.trimEnd()
    })
    .join('\n')
}

/** Throws a RangeError that names the rows that got worse; and where nothing could be compared. */
export function requireNoneWorse(rows: readonly Comparison[], factor = FACTOR): void {
  const common = rows.filter(({ before, now }) => before !== null && now !== null)
  requireThat(common.length > 0, 'bench compare', 'both runs must have a row in common')
  const worse = rows.filter((row) => row.worse).map(({ name }) => name)
  requireThat(worse.length === 0, 'bench compare', `every row must reach ${factor} of its former share of peak`, worse)
}

/** Shares of a results file, or of what `kernels --json` printed. Throws an Error where a file is neither. */
export function readShares(path: string): { target: Isa; shares: Share[] } {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (Array.isArray(parsed) && parsed.length > 0) {
      const rows = parsed as ReturnType<typeof productsOf>
      return { target: rows[0].target, shares: kernelShares(rows) }
    }
    const results = parsed as Results
    if (!ISAS.includes(results.target)) throw new Error('it names no target')
    return { target: results.target, shares: sharesOf(results) }
  } catch (error) {
    throw new Error(message(path, 'must be results, or what kernels --json prints', errorText(error)), { cause: error })
  }
}
