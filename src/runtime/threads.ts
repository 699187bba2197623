/**
 * Threads that run one plan together on one shared memory. A pool of workers serves all models of a process or page:
 * between runs they sleep, within one they spin at barriers, and rest where there are fewer cores than threads. The
 * calling thread is the first of them. Which results they give does not depend on their number (assembly/lib/threads.ts).
 */
import { BUFFER_ALIGN, roundUp, type KernelEntry, type Manifest, type Plan } from '../abi.ts'
import { message } from '../base/errors.ts'
import { BARRIER, Schedule } from './schedule.ts'
import { sharedModule } from './shared-module.ts'
import { barrierOf, starter, WORDS, type Barrier, type Message, type SharedKernels, type Thread } from './worker.ts'

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
  /** First byte that plans may use. */
  readonly base: number
  /** Milliseconds after which a thread that does not come is given up. */
  timeout = TIMEOUT_MS
  private readonly id: number
  private readonly setPart: (...args: number[]) => void
  private readonly kernels: readonly KernelEntry[]

  constructor(pool: Pool, id: number, { exports }: WebAssembly.Instance, { kernels, heapBase }: Manifest) {
    this.pool = pool
    this.id = id
    this.setPart = exports.setPart as (...args: number[]) => void
    this.kernels = kernels
    this.base = heapBase + (pool.threads - 1) * scratchOffset(heapBase)
  }

  /** How the threads share the calls of a plan. */
  schedule(plan: Plan, entries: readonly KernelEntry[]): Schedule {
    return new Schedule(plan, entries, this.kernels, this.pool.threads)
  }

  /** Threads that take part, the calling one among them: 1 after the pool has ended. */
  get threads(): number {
    return this.pool.ended ? 1 : this.pool.threads
  }

  /**
   * Runs the steps of the first thread here while the others run the programs at these addresses. Throws an Error
   * where one of them fails or does not come, and what a kernel throws here; the pool has then ended.
   */
  run(steps: readonly number[], call: (i: number) => void, programs: readonly number[]): void {
    const { pool } = this
    const { words, barrier, threads } = pool
    words[WORDS.team] = this.id
    for (let i = 0; i < threads; i++) {
      const line = WORDS.threads + i * WORDS.line
      words[line] = 0
      words[line + WORDS.program] = programs[i - 1] ?? 0
      words[line + WORDS.parts] = 0
    }
    barrier.begin()
    Atomics.add(words, WORDS.runs, 1)
    pool.wake()
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
      this.setPart(0, 1, 0, 0)
    }
  }

  /** Makes a call of a run for parts of it, as long as there are some; of 0 parts once. */
  share(parts: number, call: () => void): void {
    if (parts === 0) return call()
    const { barrier } = this.pool
    for (let part = barrier.take(parts), again = 0; part >= 0; part = barrier.take(parts), again = 1) {
      this.setPart(part, parts, 0, again)
      call()
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
    throw new Error(message(`thread ${late}`, 'must come to the end of its part', got))
  }

  /** Lets the workers forget the memory. */
  leave(): void {
    this.pool.leave(this.id)
  }
}

/** From the scratch of a thread to that of the next, behind the module's constants: no more than these. */
function scratchOffset(heapBase: number): number {
  return roundUp(heapBase, BUFFER_ALIGN)
}

/** An instance of a kernel module on shared memory of up to `maximum` pages, with its threads. Throws without them. */
export async function makeTeam(
  threads: number,
  wasm: Uint8Array<ArrayBuffer>,
  manifest: Manifest,
  maximum: number,
): Promise<{ instance: WebAssembly.Instance; team: Team }> {
  const start = starter()
  if (!start) throw new Error('this engine or page has no shared memory')
  const shared = sharedModule(wasm, maximum)
  const memory = new WebAssembly.Memory({ initial: shared.initial, maximum, shared: true })
  const { module, instance } = await WebAssembly.instantiate(shared.wasm, { env: { memory } })
  let pool = pools.get(threads)
  if (!pool) pools.set(threads, (pool = new Pool(threads, start)))
  const names = manifest.kernels.map(({ name }) => name)
  const id = await pool.join({ module, memory, names, offset: scratchOffset(manifest.heapBase) })
  return { instance, team: new Team(pool, id, instance, manifest) }
}
