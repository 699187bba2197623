/**
 * Where the time of plans goes, by kernel family, with multiply-accumulates where a family has them. Every call is timed
 * by itself, which adds about 0.1 us to each: shares count here, not totals. In pages timers are too coarse for it.
 */
import type { Executor } from '../src/runtime/execute.ts'
import { macsOf } from '../src/runtime/macs.ts'
import { peakOf } from './kernels.ts'
import type { Peaks } from './peaks.ts'
import { AGAIN } from './timing.ts'

export interface ProfileRow {
  family: string
  calls: number
  ms: number
  /** Multiply-accumulates, and the GMAC/s that they are held against; absent where the family is no product. */
  product?: { macs: number; peak: number }
}

/** Runs `run` while all calls of `executor` are timed, behind another look at the peaks; the most expensive family first. */
export async function profiled(
  executor: Executor,
  peaks: Peaks,
  deterministic: boolean,
  run: () => unknown,
): Promise<ProfileRow[]> {
  const { kernels } = executor
  for (const name of peaks.best.keys()) peaks.measure(name, AGAIN)
  const rows = new Map<string, ProfileRow>()
  executor.profile = (family, args, ms) => {
    const row = rows.get(family) ?? { family, calls: 0, ms: 0 }
    row.calls++
    row.ms += ms
    const macs = macsOf({ k: family, a: [...args] }, Number)
    if (macs > 0) {
      const entry = kernels.entry(family, deterministic)
      row.product ??= { macs: 0, peak: peaks.best.get(peakOf(kernels.manifest.isa, entry))! }
      row.product.macs += macs
    }
    rows.set(family, row)
  }
  try {
    await run()
  } finally {
    executor.profile = undefined
  }
  return [...rows.values()].sort((a, b) => b.ms - a.ms)
}

/** What products came to: their share of a time, their rate, and the part of it that a machine at its peaks needs. */
export interface Products {
  /** Multiply-accumulates of all of them. */
  macs: number
  ms: number
  /** At the peak of each. */
  leastMs: number
}

export function products(rows: readonly ProfileRow[], of = (_family: string) => true): Products {
  const chosen = rows.filter(({ family, product }) => product && of(family))
  const sum = (value: (row: Required<ProfileRow>) => number) =>
    chosen.reduce((total, row) => total + value(row as Required<ProfileRow>), 0)
  return {
    macs: sum(({ product }) => product.macs),
    ms: sum(({ ms }) => ms),
    leastMs: sum(({ product: { macs, peak } }) => macs / peak / 1e6),
  }
}

/** Families below this share of the time are shown together. */
const SMALL = 0.01

/** The rows as lines of a table; `wholeMs` is the time that they are a share of. */
export function profileLines(rows: readonly ProfileRow[], wholeMs: number): string[] {
  const share = (ms: number) => `${((100 * ms) / wholeMs).toFixed(1).padStart(5)} %`
  const shown = rows.filter(({ ms }) => ms >= SMALL * wholeMs)
  const lines = shown.map(({ family, calls, ms, product }) => {
    const rate = product ? product.macs / ms / 1e6 : 0
    const held = product
      ? `${rate.toFixed(1).padStart(7)} GMAC/s, ${Math.round((100 * rate) / product.peak)} % of peak`
      : ''
    return `    ${family.padEnd(28)} ${share(ms)} ${String(calls).padStart(6)} calls ${held}`.trimEnd()
  })
  const others = rows.filter((row) => !shown.includes(row))
  if (others.length === 0) return lines
  const ms = others.reduce((sum, row) => sum + row.ms, 0)
  return [...lines, `    ${`${others.length} others`.padEnd(28)} ${share(ms)}`]
}
