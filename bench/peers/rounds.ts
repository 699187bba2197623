/**
 * Timing of contenders that take turns: in every round each has one sample, and the next round starts with another, so
 * that other work on the machine meets all of them alike. What counts is the median over the rounds.
 */

/** One call, as a host makes it: synchronous, or a promise. */
export type Call = () => unknown

export interface RoundsEffort {
  /** Least time that each contender runs before anything counts: engines compile hot code in the background. */
  warmMs: number
  /** Calls are repeated to fill a sample; a longer call is a sample by itself. */
  sampleMs: number
  rounds: number
}

async function repeat(call: Call, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const result = call()
    // Waiting for what is no promise would cost a turn of the event loop.
    if (result instanceof Promise) await result
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Seconds a call of each, the median of the rounds. */
export async function interleaved(calls: readonly Call[], effort: RoundsEffort): Promise<number[]> {
  const perSample: number[] = []
  for (const call of calls) {
    const start = performance.now()
    let count = 0
    for (; count < 3 || performance.now() - start < effort.warmMs; count++) await repeat(call, 1)
    perSample.push(Math.max(1, Math.round((count * effort.sampleMs) / (performance.now() - start))))
  }
  const samples: number[][] = calls.map(() => [])
  for (let round = 0; round < effort.rounds; round++) {
    for (let turn = 0; turn < calls.length; turn++) {
      const i = (turn + round) % calls.length
      const start = performance.now()
      await repeat(calls[i], perSample[i])
      samples[i].push((performance.now() - start) / perSample[i] / 1000)
    }
  }
  return samples.map(median)
}
