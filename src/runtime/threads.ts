/**
 * Threads that run one plan together on one shared memory. A pool of workers serves all models of a process or page:
 * between runs they sleep, within one they spin at barriers, and rest where there are fewer cores than threads. The
 * calling thread is the first of them. Which results they give does not depend on their number (assembly/lib/threads.ts).
 */
import type { Arg, Plan } from '../abi.ts'
import { message } from '../base/errors.ts'
import { BARRIER, resolveArg } from './schedule.ts'
import {
  barrierOf,
  cores,
  starter,
  WORDS,
  type Barrier,
  type Message,
  type SharedKernels,
  type Thread,
} from './worker.ts'

/** A thread did not come to a barrier in time, or failed in a kernel. */
export class ThreadError extends Error {}

/** Longest wait for another thread. No kernel takes as long, so it is dead. */
const TIMEOUT_MS = 30_000

/** Workers that wait for work, and the calling thread. There is one for each number of threads that is asked for. */
class Pool {
  readonly threads: number
  readonly words: Int32Array
  readonly barrier: Barrier
  /** Why it ended, if it has. */
  ended: Error | undefined
  readonly workers: Thread[]
  private teams = 0
  /** Messages go out one after the other. */
  private last: Promise<void>

  constructor(threads: number, start: () => Thread) {
    this.threads = threads
    const shared = new SharedArrayBuffer(4 * (WORDS.threads + threads * WORDS.line + WORDS.mostReason))
    this.words = new Int32Array(shared)
    this.barrier = barrierOf(this.words, WORDS, 0, threads)
    this.workers = Array.from({ length: threads - 1 }, start)
    this.last = this.toAll((index) => ({ shared, index, threads }))
  }

  /** Makes a memory and its kernels known to all workers; answers the number that runs call them by. */
  async join(kernels: SharedKernels): Promise<number> {
    const team = this.teams++
    await this.send({ team, ...kernels })
    return team
  }

  /** Lets workers forget a memory. */
  leave(team: number): void {
    this.send({ team }).catch(() => {})
  }

  private send(message: Message): Promise<void> {
    const sent = this.last.then(() => {
      if (this.ended) throw this.ended
      const answers = this.toAll(() => message)
      Atomics.add(this.words, WORDS.messages, 1)
      this.wake()
      return answers
    })
    this.last = sent.catch((error: Error) => this.end(error))
    return sent
  }

  private async toAll(messageOf: (index: number) => Message): Promise<void> {
    const answers = this.workers.map((worker, i) => {
      worker.post(messageOf(i + 1))
      return worker.answer()
    })
    await Promise.all(answers)
  }

  wake(): void {
    Atomics.add(this.words, WORDS.signal, 1)
    Atomics.notify(this.words, WORDS.signal)
  }

  end(error: Error): void {
    this.ended ??= error
    if (pools.get(this.threads) === this) pools.delete(this.threads)
    for (const worker of this.workers) worker.terminate()
  }
}

const pools = new Map<number, Pool>()

/** The threads of one memory. */
export class Team {
  readonly pool: Pool
  /** Milliseconds after which a thread that does not come is given up. */
  timeout = TIMEOUT_MS
  private readonly id: number
  private readonly setPart: (index: number, count: number) => void

  constructor(pool: Pool, id: number, setPart: (index: number, count: number) => void) {
    this.pool = pool
    this.id = id
    this.setPart = setPart
  }

  /** Threads that take part, the calling one among them: 1 after the pool has ended. */
  get threads(): number {
    return this.pool.ended ? 1 : this.pool.threads
  }

  /**
   * Runs the steps of the first thread here while the others run the programs at these addresses. Throws a ThreadError
   * where one of them fails or does not come, and what a kernel throws here; the pool has then ended.
   */
  run(steps: readonly number[], call: (i: number) => void, programs: readonly number[]): void {
    const { pool } = this
    const { words, barrier, threads } = pool
    words[WORDS.team] = this.id
    for (let i = 0; i < threads; i++) {
      words[WORDS.threads + i * WORDS.line] = 0
      words[WORDS.threads + i * WORDS.line + 1] = programs[i - 1] ?? 0
    }
    barrier.begin()
    Atomics.add(words, WORDS.runs, 1)
    pool.wake()
    this.setPart(0, threads)
    try {
      for (const step of steps) {
        if (step === BARRIER) this.meet()
        else call(step)
      }
      this.meet()
    } catch (error) {
      pool.end(error as Error)
      throw error
    } finally {
      this.setPart(0, 1)
    }
  }

  private meet(): void {
    const { words, barrier } = this.pool
    barrier.arrive()
    const late = barrier.wait(this.timeout)
    if (late < 0) return
    const failed = Atomics.load(words, WORDS.failed) > 0
    const from = words.length - WORDS.mostReason
    const reason = String.fromCharCode(...words.subarray(from, from + words[WORDS.reasonLength]))
    const got = failed ? reason : `nothing for ${this.timeout} ms`
    throw new ThreadError(message(`thread ${late}`, 'must come to the end of its part', got))
  }

  leave(): void {
    this.pool.leave(this.id)
  }
}

/** Threads for the instance of a kernel module whose part is set by `setPart`; throws where they cannot be had. */
export async function makeTeam(
  threads: number,
  kernels: SharedKernels,
  setPart: (index: number, count: number) => void,
): Promise<Team> {
  const start = starter()
  if (!start) throw new Error('this engine or page has no shared memory')
  let pool = pools.get(threads)
  if (!pool) pools.set(threads, (pool = new Pool(threads, start)))
  return new Team(pool, await pool.join(kernels), setPart)
}

/** A plan with fewer multiply-accumulates is over before further threads have gained what meeting them costs. */
const WORTH_MACS = 1e8
/** Plans are too short for more to be of use. */
const MOST_THREADS = 4

/** Threads that plans of inference are worth here: one unless encoding an image is long. */
export function threadsFor(plans: readonly Plan[]): number {
  const image = plans.find(({ name }) => name === 'encodeImage')
  return image && macs(image) >= WORTH_MACS ? Math.min(MOST_THREADS, cores()) : 1
}

/** Multiply-accumulates of the products and heads of one sample. */
function macs({ calls, symbols }: Plan): number {
  const one = { ...symbols, B: 1 }
  const product = (sizes: readonly Arg[]) => sizes.reduce<number>((n, size) => n * resolveArg(size, [], one), 1)
  return calls.reduce((sum, { k, a }) => {
    if (k.startsWith('matmul_')) return sum + product(a.slice(-3))
    // B, Tq, Tk, C, and behind them heads and causal.
    return k.startsWith('attention_') ? sum + 2 * product(a.slice(-6, -2)) : sum
  }, 0)
}
