/**
 * A plan for several threads: which calls each of them makes, and where all wait for each other. Kernels that split
 * their outputs run on every thread, the others on the first; a thread waits before a call unless neither it nor the
 * call before was split. Threads take the parts of a call as they come, since cores are not equally fast: phones have
 * two kinds, and what else a machine does slows one. What the further threads do lies in memory as a program of numbers,
 * which they read.
 */
import type { Arg, Call, KernelEntry, Plan } from '../abi.ts'
import { BUFFER_ALIGN, roundUp } from '../abi.ts'
import { evaluator } from '../base/shape.ts'
import { macsOf } from './macs.ts'

/** In the place of a call: wait for all threads. Also in the text of the workers (worker.ts). */
export const BARRIER = -1

/** What a thread does: indices of calls of the plan, and BARRIER between them. */
function stepsOf(parallel: readonly boolean[], isFirst: boolean): number[] {
  return parallel.flatMap((split, i) => {
    const waits = i > 0 && (split || parallel[i - 1])
    return [...(waits ? [BARRIER] : []), ...(split || isFirst ? [i] : [])]
  })
}

/**
 * Multiply-accumulates from which on a call has several parts a thread, some 100 us; and how many. The gradient of a
 * weight reads all gradients of outputs once a part.
 */
const LONG_MACS = 4e6
const PARTS = 4
const PARTS_OF: Record<string, number> = { matmul_tn__f32: 2 }

/** Memory that each thread needs for itself in a call: by argument, where it begins; and how much in all. */
interface Private {
  offsets: Map<number, number>
  bytes: number
}

function privateOf(args: readonly Arg[], { params }: KernelEntry, { buffers }: Plan): Private {
  const offsets = new Map<number, number>()
  let bytes = 0
  args.forEach((arg, i) => {
    if (typeof arg !== 'object' || !params[i][0].startsWith('scratch')) return
    offsets.set(i, bytes)
    bytes += roundUp(buffers[arg.at].bytes - (arg.plus ?? 0), BUFFER_ALIGN)
  })
  return { offsets, bytes }
}

export class Schedule {
  /** What the first thread does. */
  readonly steps: readonly number[]
  /** Parts of every call, 0 where it is not split. */
  readonly parts: readonly number[]
  /** Bytes of the program of a further thread. */
  readonly programBytes: number
  /** Bytes of scratch that a further thread needs for itself. */
  readonly scratchBytes: number
  private readonly others: readonly number[]
  private readonly privates: readonly Private[]
  /** Of every call: its place among the kernels of the module. */
  private readonly kernels: readonly number[]

  constructor(plan: Plan, entries: readonly KernelEntry[], all: readonly KernelEntry[], threads: number) {
    const parallel = entries.map((entry) => entry.parallel)
    this.steps = stepsOf(parallel, true)
    this.others = stepsOf(parallel, false)
    const value = evaluator(plan.symbols)
    const partsOf = (call: Call) => threads * (macsOf(call, value) < LONG_MACS ? 1 : (PARTS_OF[call.k] ?? PARTS))
    this.parts = plan.calls.map((call, i) => (parallel[i] ? partsOf(call) : 0))
    this.kernels = entries.map((entry) => all.indexOf(entry))
    this.privates = plan.calls.map(({ a }, i) => privateOf(a, entries[i], plan))
    const words = this.others.map((step) => (step === BARRIER ? 3 : 3 + plan.calls[step].a.length))
    this.programBytes = 8 * words.reduce((sum, n) => sum + n, 2)
    this.scratchBytes = Math.max(0, ...this.privates.map(({ bytes }, i) => (parallel[i] ? bytes : 0)))
  }

  /**
   * Writes the program of a further thread: version, number of steps, and of each step its kernel (or BARRIER), its
   * parts, the number of its arguments and these. `args` are those of the first thread; `scratchAt` is scratch of this one.
   */
  write(program: Float64Array, version: number, args: readonly (readonly number[])[], scratchAt: number): void {
    program[0] = version
    program[1] = this.others.length
    let at = 2
    for (const step of this.others) {
      const own = step === BARRIER ? [] : args[step]
      program[at++] = step === BARRIER ? BARRIER : this.kernels[step]
      program[at++] = step === BARRIER ? 0 : this.parts[step]
      program[at++] = own.length
      own.forEach((arg, i) => {
        const offset = this.privates[step].offsets.get(i)
        program[at++] = offset === undefined ? arg : scratchAt + offset
      })
    }
  }
}
