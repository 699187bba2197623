/**
 * The choice between variants of a kernel that give the same bits: at load each runs the loop of its multiplication for
 * a moment, since no module can ask what its processor has (a 32-bit dot of bytes is one instruction on some, five on
 * others). That shows in the code of an engine's first compiler too, which is all that there is at a start; whole
 * kernels take as long as each other there (codegen/templates/trial_loop.ts).
 */
import type { KernelEntry } from '../abi.ts'
import type { Kernels, Trial } from './kernels.ts'

/** Turns of a loop between two looks at the clock: some microseconds. */
const TURNS = 100
/** Milliseconds of a slice, and its ticks where the clock is coarse: clocks of pages move by 0.1 or 1 ms. */
const SLICE_MS = 0.03
const SLICE_TICKS = 3
/** Rounds of slices, one a variant, and after how many milliseconds no further one begins. */
const ROUNDS = 9
const LATEST_MS = 10
/**
 * A variant takes over from the one that the target names first where its multiplication is not clearly slower, in two of
 * three rounds, since a slice may have waited for another process: the rest of its kernel is faster (32-bit sums, for
 * one, need no widening). Where dots of bytes are no instruction, 32-bit ones take 1.3 to 2.4 times as long as 16-bit ones.
 */
const CLEARLY = 1.1

/** What was chosen, by the hash of the module: a process that loads it again does not try again. */
const known = new Map<string, Map<string, Trial>>()

/** Tries the variants of those `families` (default: all) that have several with loops, and lets the best serve. */
export function chooseVariants(kernels: Kernels, families?: ReadonlySet<string>): void {
  const { sha256, kernels: all } = kernels.manifest
  const before = known.get(sha256) ?? new Map<string, Trial>()
  known.set(sha256, before)
  for (const family of families ?? new Set(all.map((kernel) => kernel.family))) {
    const variants = kernels.variants(family)
    if (variants.length < 2) continue
    const trial = before.get(family) ?? tryVariants(kernels, variants)
    if (!trial) continue
    before.set(family, trial)
    kernels.trials.push(trial)
    const chosen = variants.find(({ name }) => name === trial.microseconds[0][0])
    if (chosen) kernels.prefer(chosen)
  }
}

function tryVariants(kernels: Kernels, variants: readonly KernelEntry[]): Trial | undefined {
  const runs: { name: string; loop: (turns: number) => void; wins: number; best: number }[] = []
  for (const entry of variants) {
    const loop = kernels.trialLoop(entry)
    if (!loop) return undefined
    runs.push({ name: entry.name, loop, wins: 0, best: Infinity })
  }
  // The first calls wait for the compiler.
  for (const { loop } of runs) loop(1)
  const sliceMs = Math.max(SLICE_MS, SLICE_TICKS * tickMs())
  const [preferred, ...others] = runs
  // Every slice begins at the look that ended the one before, hence as a coarse clock moves on.
  let now = nextTick()
  const latest = now + LATEST_MS
  const msPerCall = (run: (typeof runs)[number]): number => {
    const start = now
    let calls = 0
    for (; now - start < sliceMs; now = performance.now()) {
      run.loop(TURNS)
      calls++
    }
    const time = (now - start) / calls
    run.best = Math.min(run.best, time)
    return time
  }
  let rounds = 0
  const isOpen = () => others.some(({ wins }) => rounds - wins <= ROUNDS / 3)
  for (; rounds < ROUNDS && isOpen() && now < latest; rounds++) {
    const time = msPerCall(preferred)
    for (const one of others) if (msPerCall(one) < CLEARLY * time) one.wins++
  }
  const able = others.filter(({ wins }) => rounds > 1 && 3 * wins >= 2 * rounds)
  const [first = preferred] = able.sort((a, b) => a.best - b.best)
  const ordered = [first, ...runs.filter((one) => one !== first)]
  return { family: variants[0].family, microseconds: ordered.map(({ name, best }) => [name, 1000 * best]) }
}

/** By how much the clock moves: the less of two, since either may have waited for another process. */
function tickMs(): number {
  const [first, second, third] = [nextTick(), nextTick(), nextTick()]
  return Math.min(second - first, third - second)
}

/** The time when the clock moves on. */
function nextTick(): number {
  const start = performance.now()
  let now = start
  while (now === start) now = performance.now()
  return now
}
