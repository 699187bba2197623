/** The clock of a cold start, in the process that is measured. */
import type { ColdStart } from './load.ts'

export class StartClock {
  private readonly start: ColdStart
  private last = performance.now()

  constructor() {
    this.start = { nodeMs: this.last, stages: {}, bytes: 0 }
  }

  /** Leaves the time since the last look out. */
  skip(): void {
    this.last = performance.now()
  }

  /** Ends a stage. */
  lap(name: string): void {
    const now = performance.now()
    this.start.stages[name] = now - this.last
    this.last = now
  }

  /** Prints what was seen, as JSON. */
  print(): void {
    // The kernel's own maximum counts what the parent had before it started this process.
    console.log(JSON.stringify({ ...this.start, bytes: process.memoryUsage.rss() }))
  }
}
