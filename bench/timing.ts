/**
 * Timing of functions, some far shorter than a timer's resolution, and statistics of what was seen. Everything is
 * measured warm: the optimising compiler must have replaced the first tier before anything counts.
 */

export interface Effort {
  warmMs: number
  sampleMs: number
  samples: number
}

export const FULL: Effort = { warmMs: 400, sampleMs: 60, samples: 9 }
export const QUICK: Effort = { warmMs: 200, sampleMs: 20, samples: 3 }

/** A short look beside another figure: what else the machine does comes and goes. */
export const AGAIN: Effort = { warmMs: 20, sampleMs: 20, samples: 3 }

/** Of one figure that was seen several times. */
export interface Summary {
  min: number
  median: number
  p95: number
}

/** The quantiles lie between the two nearest samples where they fall between them. */
export function summary(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b)
  const quantile = (q: number) => {
    const place = q * (sorted.length - 1)
    const below = Math.floor(place)
    return sorted[below] + (place - below) * (sorted[Math.ceil(place)] - sorted[below])
  }
  return { min: sorted[0], median: quantile(0.5), p95: quantile(0.95) }
}

/** Seconds a call of a function far shorter than a sample: each sample is the mean of many calls. */
export function secondsPerCall(run: () => void, { warmMs, sampleMs, samples }: Effort): Summary {
  const start = performance.now()
  let calls = 0
  while (performance.now() - start < warmMs) {
    run()
    calls++
  }
  const perSample = Math.max(1, Math.round((calls * sampleMs) / warmMs))
  const seconds = Array.from({ length: samples }, () => {
    const from = performance.now()
    for (let i = 0; i < perSample; i++) run()
    return (performance.now() - from) / perSample / 1000
  })
  return summary(seconds)
}

/** What single calls took. */
export interface CallTimes {
  ms: Summary
  /** Calls that were measured. */
  calls: number
}

/** Calls are timed one by one where the timer is this many times finer than them, else in groups. */
const RESOLUTIONS = 50
const FEWEST = 5

/** Milliseconds of single calls for as long as all samples of `effort` take; at least 5 calls. */
export async function timeCalls(run: () => unknown, { warmMs, sampleMs, samples }: Effort): Promise<CallTimes> {
  const start = performance.now()
  let warm = 0
  do {
    await run()
    warm++
  } while (performance.now() - start < warmMs)
  const perCall = (performance.now() - start) / warm
  const group = Math.max(1, Math.ceil((RESOLUTIONS * timerResolution()) / perCall))
  const times: number[] = []
  const from = performance.now()
  while (times.length < FEWEST || performance.now() - from < sampleMs * samples) {
    const begin = performance.now()
    for (let i = 0; i < group; i++) await run()
    times.push((performance.now() - begin) / group)
  }
  return { ms: summary(times), calls: times.length * group }
}

/** The smallest step of the engine's timer in ms, the best of a few looks: 0.005 to 1 in pages, far less in Node. */
export function timerResolution(): number {
  const steps = Array.from({ length: 5 }, () => {
    const start = performance.now()
    let next = start
    while (next === start) next = performance.now()
    return next - start
  })
  return Math.min(...steps)
}
