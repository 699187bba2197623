/** Timing of functions far shorter than a timer's resolution. */

export interface Effort {
  warmMs: number
  sampleMs: number
  samples: number
}

export const FULL: Effort = { warmMs: 400, sampleMs: 60, samples: 9 }
export const QUICK: Effort = { warmMs: 200, sampleMs: 20, samples: 3 }

/** Seconds a call: the best of several samples, since other work on the machine only ever adds. */
export function secondsPerCall(run: () => void, { warmMs, sampleMs, samples }: Effort): number {
  const start = performance.now()
  let calls = 0
  // The optimising compiler must have replaced the first tier before anything counts.
  while (performance.now() - start < warmMs) {
    run()
    calls++
  }
  const perSample = Math.max(1, Math.round((calls * sampleMs) / warmMs))
  let best = Infinity
  for (let s = 0; s < samples; s++) {
    const from = performance.now()
    for (let i = 0; i < perSample; i++) run()
    best = Math.min(best, (performance.now() - from) / perSample)
  }
  return best / 1000
}

/** Of one figure that was measured several times. */
export interface Summary {
  min: number
  median: number
  p95: number
}

export function summary(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (q: number) => {
    const place = q * (sorted.length - 1)
    const below = Math.floor(place)
    return sorted[below] + (place - below) * (sorted[Math.ceil(place)] - sorted[below])
  }
  return { min: sorted[0], median: at(0.5), p95: at(0.95) }
}
