/**
 * The further threads: what runs in a worker, as text, since a package in one file has no other script to name, and how
 * a worker starts in Node and in a page. A page must be cross-origin isolated, and its CSP allow `worker-src blob:`.
 */
import { BARRIER } from './schedule.ts'

/** Places in the words that all threads of a pool see. */
export const WORDS = {
  /** Goes up with everything that workers must look at. */
  signal: 0,
  /** Runs and messages so far. */
  runs: 1,
  messages: 2,
  /** Of the run: whose memory and kernels. */
  team: 3,
  /** One more than the thread that failed in a kernel, and characters of why. */
  failed: 4,
  reasonLength: 5,
  /** Always 0: to wait for nothing. */
  rest: 6,
  /**
   * From here on a line of cache for each thread: barriers of this run that it has come to, address of its program, and
   * how often parts of its share were asked for in this run.
   */
  threads: 16,
  line: 16,
  program: 1,
  parts: 2,
  barrier: BARRIER,
  mostReason: 240,
} as const
type Words = typeof WORDS

/** How one thread meets the others. Its text is part of the worker's, so it names nothing from outside. */
export interface Barrier {
  /** Begins a run. */
  begin(): void
  /**
   * A part of the next call that no thread has taken yet: of this thread's share, since what it works on then lies in the
   * cache of its core, else of another's, unless that is a single one; -1 where there is none. Every thread asks until
   * then. `parts` is a multiple of the threads.
   */
  take(parts: number): number
  /** Says that this thread has come to the next barrier. */
  arrive(): void
  /** Waits until all have; answers which thread failed or was missing after `timeout` milliseconds, or -1. */
  wait(timeout: number): number
}

export function barrierOf(words: Int32Array, at: Words, index: number, threads: number): Barrier {
  /** Looks until a thread first rests: about as long as waking one takes. */
  const SPINS = 20000
  const REST_MS = 0.05
  const MOST_MS = 50
  let passed = 0
  // How often the parts of a share were asked for in the calls before: each part, and once in vain by every thread.
  let asked = 0
  // Whose share is next, from this thread on; of shares of one part: how many are taken.
  let ahead = 0
  let mayRest = true
  try {
    Atomics.wait(words, at.rest, 1)
  } catch {
    // The main thread of a page may not.
    mayRest = false
  }
  return {
    begin() {
      passed = 0
      asked = 0
      ahead = 0
    },
    take(parts) {
      const share = parts / threads
      // Whoever is late at the only part of its share is late at the barrier behind it too: nobody takes it over.
      if (share === 1) {
        ahead = 1 - ahead
        return ahead === 1 ? index : -1
      }
      for (; ahead < threads; ahead++) {
        const whose = (index + ahead) % threads
        const part = Atomics.add(words, at.threads + whose * at.line + at.parts, 1) - asked
        if (part < share) return whose * share + part
      }
      ahead = 0
      asked += share + threads
      return -1
    },
    arrive() {
      passed++
      Atomics.store(words, at.threads + index * at.line, passed)
    },
    wait(timeout) {
      for (let other = 0; other < threads; other++) {
        let waited = 0
        let last = 0
        for (let spins = 0; Atomics.load(words, at.threads + other * at.line) < passed; spins++) {
          if (spins < SPINS) continue
          const failed = Atomics.load(words, at.failed)
          if (failed > 0) return failed - 1
          const now = performance.now()
          // Of time that the whole process stood still, next to nothing counts.
          if (last > 0) waited += Math.min(now - last, MOST_MS)
          if (waited > timeout) return other
          last = now
          if (mayRest) Atomics.wait(words, at.rest, 0, REST_MS)
        }
      }
      return -1
    },
  }
}

/** A kernel module on a shared memory. */
export interface SharedKernels {
  module: WebAssembly.Module
  memory: WebAssembly.Memory
  /** Its exports, in the order of the manifest. */
  names: string[]
  /** Bytes from the scratch of a thread to that of the next. */
  offset: number
}

/** What workers are told: who they are, whom they work for, or whom no more. */
export type Message =
  { shared: SharedArrayBuffer; index: number; threads: number } | ({ team: number } & SharedKernels) | { team: number }

/** The life of a worker. Its text is what runs there, so it names nothing from outside. */
function work(
  listen: (take: (message: Message) => void) => void,
  answer: (index: number) => void,
  at: Words,
  makeBarrier: typeof barrierOf,
): void {
  interface Known {
    memory: WebAssembly.Memory
    functions: ((...args: number[]) => void)[]
    setPart: (...args: number[]) => void
    scratch: number
    programs: Map<number, { version: number; steps: { kernel: number; parts: number; args: number[] }[] }>
  }
  const teams = new Map<number, Known>()
  let words: Int32Array = new Int32Array(1)
  let [index, threads, runs, messages] = [0, 1, 0, 0]
  let barrier: Barrier

  const programOf = (team: Known, from: number) => {
    const data = new Float64Array(team.memory.buffer, from)
    let known = team.programs.get(from)
    if (known?.version === data[0]) return known
    known = { version: data[0], steps: [] }
    let next = 2
    for (let i = 0; i < data[1]; i++) {
      const [kernel, parts, count] = [data[next], data[next + 1], data[next + 2]]
      known.steps.push({ kernel, parts, args: Array.from(data.subarray(next + 3, next + 3 + count)) })
      next += 3 + count
    }
    team.programs.set(from, known)
    return known
  }
  const run = () => {
    const team = teams.get(words[at.team])!
    barrier.begin()
    const { steps } = programOf(team, words[at.threads + index * at.line + at.program] >>> 0)
    for (const { kernel, parts, args } of steps) {
      if (kernel !== at.barrier) {
        for (let part = barrier.take(parts), again = 0; part >= 0; part = barrier.take(parts), again = 1) {
          team.setPart(part, parts, team.scratch, again)
          team.functions[kernel](...args)
        }
      } else {
        barrier.arrive()
        // The first thread alone looks at the clock; it ends the pool.
        if (barrier.wait(Infinity) >= 0) return
      }
    }
    barrier.arrive()
  }
  const fail = (error: unknown) => {
    const reason = String(error).slice(0, at.mostReason)
    const from = words.length - at.mostReason
    for (let i = 0; i < reason.length; i++) words[from + i] = reason.charCodeAt(i)
    words[at.reasonLength] = reason.length
    Atomics.store(words, at.failed, index + 1)
  }
  const take = (given: Message) => {
    if ('shared' in given) {
      words = new Int32Array(given.shared)
      index = given.index
      threads = given.threads
      barrier = makeBarrier(words, at, index, threads)
    } else if ('module' in given) {
      const { memory, names, offset } = given
      const { exports } = new WebAssembly.Instance(given.module, { env: { memory } })
      const [setPart, ...functions] = ['setPart', ...names].map((name) => exports[name] as (...args: number[]) => void)
      teams.set(given.team, { memory, functions, setPart, scratch: offset * index, programs: new Map() })
    } else teams.delete(given.team)
    answer(index)
    for (;;) {
      const signal = Atomics.load(words, at.signal)
      if (Atomics.load(words, at.runs) !== runs) {
        runs = (runs + 1) | 0
        try {
          run()
        } catch (error) {
          fail(error)
        }
      } else if (Atomics.load(words, at.messages) !== messages) {
        messages = (messages + 1) | 0
        return
      } else Atomics.wait(words, at.signal, signal, 10_000)
    }
  }
  listen(take)
}

/** What a worker runs. tsx marks functions with a helper, which is not there. */
const TEXT = `const __name = (f) => f
const inNode = typeof require === 'function'
const port = inNode ? require('node:worker_threads').parentPort : globalThis
const listen = (take) => inNode ? port.on('message', take) : port.onmessage = ({ data }) => take(data);
(${work})(listen, (index) => port.postMessage(index), ${JSON.stringify(WORDS)}, ${barrierOf})`

/** A worker of a page or of Node. */
export interface Thread {
  post(message: Message): void
  /** Resolves with its next answer; rejects where the worker cannot start or has died. */
  answer(): Promise<void>
  terminate(): void
}

/** Starts workers of a text, in Node or a page; undefined where there can be no threads. */
export function starter(): (() => Thread) | undefined {
  const { crossOriginIsolated = true } = globalThis as { crossOriginIsolated?: boolean }
  if (typeof SharedArrayBuffer === 'undefined' || !crossOriginIsolated) return undefined
  // So that scripts for pages need not name a module of Node.
  const node = typeof process === 'undefined' ? undefined : process.getBuiltinModule?.('node:worker_threads')
  if (node) return () => nodeThread(new node.Worker(TEXT, { eval: true, execArgv: [] }))
  return typeof Worker === 'undefined' ? undefined : pageThread
}

/** What is used of a worker of Node; named here, since pages load this file too. */
interface NodeWorker {
  on(event: 'message', take: () => void): unknown
  on(event: 'error', take: (error: Error) => void): unknown
  on(event: 'exit', take: () => void): unknown
  postMessage(message: unknown): void
  ref(): void
  unref(): void
  terminate(): unknown
}

function nodeThread(worker: NodeWorker): Thread {
  let take: (error?: Error) => void = () => {}
  worker.on('message', () => take())
  worker.on('error', (error: Error) => take(error))
  worker.on('exit', () => take(new Error('a worker ended')))
  return {
    post: (message) => worker.postMessage(message),
    answer: () =>
      new Promise((resolve, reject) => {
        worker.ref()
        take = (error) => {
          // An idle worker does not keep the process alive.
          worker.unref()
          if (error) reject(error)
          else resolve()
        }
      }),
    terminate: () => void worker.terminate(),
  }
}

function pageThread(): Thread {
  const address = URL.createObjectURL(new Blob([TEXT], { type: 'text/javascript' }))
  const worker = new Worker(address)
  // No event tells of an end.
  let refuse: (error: Error) => void = () => {}
  return {
    post: (message) => worker.postMessage(message),
    answer: () =>
      new Promise((resolve, reject) => {
        refuse = reject
        worker.onmessage = () => resolve()
        worker.onerror = ({ message }) => reject(new Error(message || 'the page allows no workers'))
      }),
    terminate() {
      refuse(new Error('a worker ended'))
      worker.terminate()
      URL.revokeObjectURL(address)
    },
  }
}
