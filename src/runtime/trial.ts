/**
 * The choice between variants of a kernel that give the same bits: each runs its known answer for a few milliseconds at
 * load, since no module can ask what its processor has (a 32-bit dot of bytes is one instruction on some, five on
 * others). In slices by turns, so that the engine's optimising compiler takes over within the trial.
 */
import type { KernelEntry, KnownAnswer } from '../abi.ts'
import { clearAnswers, prepareAnswer } from './known-answers.ts'
import type { Kernels, Trial } from './kernels.ts'

/** Milliseconds of all trials of a module together, and after how many no further turn begins on a busy machine. */
const TRIAL_MS = 6
const LATEST_MS = 17
/**
 * A variant takes over where it is clearly faster than the one that the target prefers, in all turns but two. Not by the
 * best turn alone: either may have waited for another process, or still run in the engine's first compiler tier when
 * the other did not. On a machine too busy for all turns nothing changes.
 */
const TURNS = 12
const CLEARLY = 1.25
const TURNS_LOST = 2

/** What was chosen, by the hash of the module: a process that loads it again does not try again. */
const known = new Map<string, Map<string, Trial>>()

/** Tries the variants of those `families` (default: all) that have several, and lets the fastest serve. */
export function chooseVariants(kernels: Kernels, families?: ReadonlySet<string>): void {
  const { sha256, answers } = kernels.manifest
  const all = families ?? new Set(kernels.manifest.kernels.map(({ family }) => family))
  const open = [...all].filter((family) => kernels.variants(family).length > 1)
  const before = known.get(sha256) ?? new Map<string, Trial>()
  known.set(sha256, before)
  for (const family of open) {
    const variants = kernels.variants(family)
    const answer = answers.find(({ calls }) => calls.some(([called]) => called === family))!
    const trial = before.get(family) ?? tryVariants(kernels, variants, answer, open.length)
    before.set(family, trial)
    kernels.trials.push(trial)
    const chosen = variants.find(({ name }) => name === trial.microseconds[0][0])
    if (chosen) kernels.prefer(chosen)
    clearAnswers(kernels, [answer])
  }
}

function tryVariants(kernels: Kernels, variants: KernelEntry[], answer: KnownAnswer, share: number): Trial {
  const runs = variants.map(({ name }, i) => ({
    name,
    run: prepareAnswer(kernels, answer, variants[i]),
    wins: 0,
    best: Infinity,
  }))
  const [preferred] = runs
  const sliceMs = TRIAL_MS / share / TURNS / runs.length
  const latest = performance.now() + LATEST_MS / share
  // Most trials end here before their last turn: no other variant can win often enough any more.
  const isOpen = (turn: number) => runs.some(({ wins }) => turn - wins <= TURNS_LOST && turn < TURNS)
  for (let turn = 0; isOpen(turn) && performance.now() < latest; turn++) {
    const times = runs.map(({ run }) => msPerCall(run, sliceMs))
    runs.forEach((one, i) => {
      one.best = Math.min(one.best, times[i])
      if (times[i] * CLEARLY < times[0]) one.wins++
    })
  }
  const faster = runs.filter(({ wins }) => wins >= TURNS - TURNS_LOST)
  const first = faster.reduce((best, one) => (one.best < best.best ? one : best), preferred)
  const ordered = [first, ...runs.filter((one) => one !== first)]
  return { family: variants[0].family, microseconds: ordered.map(({ name, best }) => [name, 1000 * best]) }
}

/** Milliseconds a call, over as many as a slice takes: timers of browsers may be as coarse as a tenth of one. */
function msPerCall(run: () => void, sliceMs: number): number {
  const start = performance.now()
  let calls = 0
  let passed = 0
  while (passed < sliceMs) {
    run()
    calls++
    passed = performance.now() - start
  }
  return passed / calls
}
