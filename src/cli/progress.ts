/**
 * Progress of what takes long, on stderr: a bar on a terminal, elsewhere a plain line now and then, so that logs stay
 * readable. A bar that is never stopped keeps its last line on the screen.
 */
import { SingleBar } from 'cli-progress'

/** Milliseconds between plain lines. */
const QUIET = 10_000

export class Progress {
  private readonly label: string
  private readonly total: number
  private readonly bar: SingleBar | undefined
  private done: number
  private detail = ''
  /** When the last plain line was written. */
  private spoken = performance.now()

  /** `done` of `total` are done at the start. */
  constructor(label: string, total: number, done = 0) {
    this.label = label
    this.total = total
    this.done = done
    if (!process.stderr.isTTY) return
    const format = `${label} {bar} {value}/{total} {detail}`
    // With `linewrap` long lines are cut and the terminal keeps its modes, which nobody would restore after Ctrl-C.
    this.bar = new SingleBar({ format, barsize: 20, clearOnComplete: true, linewrap: true, forceRedraw: true })
    this.bar.start(total, done, { detail: '' })
  }

  update(done: number, detail = ''): void {
    this.done = done
    this.detail = detail
    this.bar?.update(done, { detail })
    const now = performance.now()
    if (this.bar || now - this.spoken < QUIET) return
    this.spoken = now
    process.stderr.write(`${this.label} ${done}/${this.total} ${detail}`.trimEnd() + '\n')
  }

  /** A line above the bar. */
  note(line: string): void {
    this.bar?.stop()
    process.stderr.write(`${line}\n`)
    this.bar?.start(this.total, this.done, { detail: this.detail })
  }

  /** Removes the bar. */
  stop(): void {
    this.bar?.stop()
  }
}
