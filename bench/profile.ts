/**
 * Where the time of plans goes, by kernel family, with multiply-accumulates where a family has them. Every call is timed
 * by itself, which adds about 0.1 us to each: shares count here, not totals. In pages timers are too coarse for it.
 */
import type { KernelEntry } from '../src/abi.ts'
import type { Executor } from '../src/runtime/execute.ts'
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

/** Multiply-accumulates of a call from its sizes, by the beginning of the family's name; the memory's few are left out. */
const MACS: [start: string, macs: (sizes: Record<string, number>) => number][] = [
  ['matmul_', ({ M, K, N }) => M * K * N],
  ['attention_grad_', ({ B, Tq, Tk, C }) => 5 * B * Tq * Tk * C],
  ['attention_', ({ B, Tq, Tk, C }) => 2 * B * Tq * Tk * C],
]

/** Multiply-accumulates of one call of a kernel; undefined where it is no product. */
export function macsOf({ family, params }: KernelEntry, args: readonly number[]): number | undefined {
  const count = MACS.find(([start]) => family.startsWith(start))?.[1]
  return count?.(Object.fromEntries(params.map(([name], i) => [name, args[i]])))
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
    const entry = kernels.entry(family, deterministic)
    const row = rows.get(family) ?? { family, calls: 0, ms: 0 }
    row.calls++
    row.ms += ms
    const macs = macsOf(entry, args)
    if (macs !== undefined) {
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
