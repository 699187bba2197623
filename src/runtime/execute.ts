/**
 * Runs plans on a kernel module. Weights and state are laid out once for all plans; the arena (inputs, outputs and
 * scratch) is shared by them, so outputs are read before the next run. Memory is reserved once, at construction. Where
 * the kernels have several threads, these share the calls of a plan (schedule.ts, threads.ts).
 */
import type { Arg, KernelEntry, Plan, PlanBuffer } from '../abi.ts'
import { BUFFER_ALIGN, roundUp } from '../abi.ts'
import { viewBytes, type TensorData } from '../base/dtype.ts'
import { evaluate, type Symbols } from '../base/shape.ts'
import { message, requireThat } from '../base/errors.ts'
import type { Kernels } from './kernels.ts'
import { layOut, type MemoryLayout, type MemoryUse } from './layout.ts'
import type { Schedule } from './schedule.ts'

interface BoundPlan {
  plan: Plan
  functions: ((...args: number[]) => void)[]
  /** Byte offset of every buffer in memory. */
  at: number[]
  /** Arguments of all calls for the symbols that they were evaluated with. */
  symbolsKey: string
  args: number[][]
  /** Where there are several threads: what they do, and addresses of the programs of all but the first. */
  schedule?: Schedule
  programs: number[]
}

export class Executor {
  readonly kernels: Kernels
  readonly memoryUse: MemoryUse
  /** While set, hears of every kernel call of a plan: its family, its arguments, and how long it took. */
  profile?: (family: string, args: readonly number[], ms: number) => void
  /** The trap that ended this executor, if one did. */
  private trap?: Error
  private closed = false
  private readonly plans = new Map<string, Plan>()
  /** Those that have been used. */
  private readonly boundPlans = new Map<string, BoundPlan>()
  /** Of every further thread. */
  private readonly scratchAt: number[] = []
  /** Programs written so far. */
  private version = 0
  private readonly kept: MemoryLayout['kept']
  private readonly addressesOf: MemoryLayout['addressesOf']

  /**
   * Lays out memory for `plans`, whose weights may be `placed` already, by name; throws where memory cannot be had. Plans
   * are bound to kernels at their first use, since few have all of theirs used, and those of several threads at once:
   * their scratch takes memory.
   */
  constructor(kernels: Kernels, plans: readonly Plan[], placed?: ReadonlyMap<string, number>) {
    this.kernels = kernels
    const { memoryUse, kept, addressesOf } = layOut(kernels.base, plans, placed)
    this.kept = kept
    this.addressesOf = addressesOf
    for (const plan of plans) this.plans.set(plan.name, plan)
    const programs = this.placePrograms(memoryUse.total)
    const { roomBytes } = kernels
    this.memoryUse = {
      ...memoryUse,
      kernels: memoryUse.kernels - roomBytes,
      weights: memoryUse.weights + roomBytes,
      arena: memoryUse.arena + programs,
      total: memoryUse.total + programs,
    }
    kernels.reserve(this.memoryUse.total)
  }

  /** Gives further threads their scratch and their programs, from `start` on; returns the bytes. */
  private placePrograms(start: number): number {
    const others = (this.kernels.team?.threads ?? 1) - 1
    if (others === 0) return 0
    const plans = [...this.plans.keys()].map((name) => this.bound(name))
    const scratch = Math.max(0, ...plans.map(({ schedule }) => schedule?.scratchBytes ?? 0))
    let next = start
    for (let i = 0; i < others; i++) {
      this.scratchAt.push(next)
      next += scratch
      for (const { schedule, programs } of plans) {
        programs.push(next)
        next += roundUp(schedule!.programBytes, BUFFER_ALIGN)
      }
    }
    return next - start
  }

  /** Names of weights or of states, with their buffers. */
  names(segment: 'weight' | 'state'): PlanBuffer[] {
    return [...this.kept.values()].flatMap(({ buffer }) => (buffer.segment === segment ? [buffer] : []))
  }

  /** A fresh view of a weight or state. It is detached by nothing but dispose: memory does not grow again. */
  tensor(name: string): TensorData {
    const found = this.kept.get(name)
    requireThat(found !== undefined, name, 'must be a weight or a state of the plans')
    return this.viewOf(found.buffer, found.at, found.buffer.bytes)
  }

  has(name: string): boolean {
    return this.kept.has(name)
  }

  /** A view of an input or output of a plan, in the shape that the symbols give it (default: the largest). */
  io(planName: string, name: string, symbols?: Symbols): TensorData {
    const { plan, at } = this.bound(planName)
    const i = plan.buffers.findIndex((b) => b.name === name && b.segment !== 'scratch')
    requireThat(
      i >= 0,
      `plan ${planName}`,
      `must have an input or output ${name}; it has ${[...plan.inputs, ...plan.outputs]}`,
    )
    const buffer = plan.buffers[i]
    const bytes = symbols && buffer.dtype !== 't2' ? bytesAt(buffer, symbols) : buffer.bytes
    return this.viewOf(buffer, at[i], bytes)
  }

  /** The largest value of a symbol that a plan was made for. */
  maximum(planName: string, symbol: string): number {
    return this.plan(planName).symbols[symbol]
  }

  hasPlan(planName: string): boolean {
    return this.plans.has(planName)
  }

  /** Names of the outputs of a plan. */
  outputs(planName: string): readonly string[] {
    return this.plan(planName).outputs
  }

  hasIo(planName: string, name: string): boolean {
    return this.plan(planName).buffers.some((b) => b.name === name && b.segment === 'io')
  }

  /** Address of memory behind that of the plans, for single kernel calls; grows to the largest request. */
  workspace(bytes: number): number {
    const at = roundUp(this.memoryUse.total, BUFFER_ALIGN)
    this.kernels.reserve(at + bytes)
    return at
  }

  /** Calls one kernel outside any plan. */
  call(family: string, ...args: number[]): void {
    this.kernels.function(this.kernels.entry(family, true))(...args)
  }

  /** Ends this executor: later runs are refused, and threads let go of its memory. */
  close(): void {
    this.closed = true
    this.kernels.team?.leave()
  }

  /**
   * Runs a plan with a value for each of its symbols, none above the planned maximum. After a trap memory may be half
   * written: every later run is refused, the caller starts a new executor on a new instance.
   */
  run(planName: string, symbols: Symbols = {}): void {
    const bound = this.bound(planName)
    // A caption in progress holds on to it.
    requireThat(!this.closed, 'model', 'must not be used after dispose()')
    if (this.trap) throw new Error(`plan ${planName}: kernels must not have trapped, got ${this.trap.message}`)
    const { plan } = bound
    const key = Object.keys(plan.symbols)
      .map((s) => symbols[s])
      .join()
    if (key !== bound.symbolsKey || bound.args.length === 0) {
      for (const [symbol, max] of Object.entries(plan.symbols)) {
        const value = symbols[symbol]
        const ok = Number.isInteger(value) && value >= 1 && value <= max
        requireThat(ok, `plan ${planName}`, `${symbol} must be a whole number from 1 to ${max}`, value)
      }
      bound.args = plan.calls.map((call) => call.a.map((arg) => resolveArg(arg, bound.at, symbols)))
      bound.symbolsKey = key
      this.writePrograms(bound)
    }
    try {
      this.runBound(bound)
    } catch (error) {
      this.trap = error as Error
      throw error
    }
  }

  private runBound(bound: BoundPlan): void {
    const { functions, args, schedule, programs } = bound
    const { team } = this.kernels
    const kernel = (i: number) => functions[i](...args[i])
    if (team && team.threads > 1) {
      const { steps, parts } = schedule!
      const call = this.seen(bound, (i) => team.share(parts[i], () => kernel(i)))
      team.run(steps, call, programs)
    } else {
      const call = this.seen(bound, kernel)
      for (let i = 0; i < functions.length; i++) call(i)
    }
  }

  /** Calls of a plan on this thread, each told to the profile, if there is one. */
  private seen({ plan, args }: BoundPlan, call: (i: number) => void): (i: number) => void {
    const { profile } = this
    if (!profile) return call
    return (i) => {
      const start = performance.now()
      call(i)
      profile(plan.calls[i].k, args[i], performance.now() - start)
    }
  }

  private writePrograms({ schedule, programs, args }: BoundPlan): void {
    this.version++
    programs.forEach((at, i) => {
      const program = new Float64Array(this.kernels.memory.buffer, at, schedule!.programBytes / 8)
      schedule!.write(program, this.version, args, this.scratchAt[i])
    })
  }

  /**
   * One output [n, columns] of a plan over any number of items: at most `B` of the plan at once. `write` fills its inputs
   * from some of the items and answers the symbols to run with.
   */
  runInParts<T>(
    planName: string,
    output: string,
    columns: number,
    items: readonly T[],
    write: (part: readonly T[]) => Symbols,
  ): Float32Array {
    const most = this.maximum(planName, 'B')
    const all = new Float32Array(items.length * columns)
    for (let from = 0; from < items.length; from += most) {
      const symbols = write(items.slice(from, from + most))
      this.run(planName, symbols)
      all.set(this.io(planName, output, symbols), from * columns)
    }
    return all
  }

  private plan(planName: string): Plan {
    const plan = this.plans.get(planName)
    requireThat(plan !== undefined, 'executor', `must have a plan ${planName}; it has ${[...this.plans.keys()]}`)
    return plan
  }

  /** A plan with its kernels and addresses. Throws where a kernel is missing. */
  private bound(planName: string): BoundPlan {
    let bound = this.boundPlans.get(planName)
    if (!bound) {
      const plan = this.plan(planName)
      const entries = entriesOf(plan, this.kernels)
      const schedule = this.kernels.team?.schedule(plan, entries)
      const functions = entries.map((entry) => this.kernels.function(entry))
      bound = { plan, functions, at: this.addressesOf(plan), symbolsKey: '', args: [], schedule, programs: [] }
      this.boundPlans.set(planName, bound)
    }
    return bound
  }

  private viewOf(buffer: PlanBuffer, at: number, bytes: number): TensorData {
    return this.kernels.view(buffer.dtype, at, bytes / viewBytes(buffer.dtype))
  }
}

/** The kernel of every call. Each family is looked up once: plans have hundreds of calls of some twenty. */
function entriesOf({ calls, deterministic }: Plan, kernels: Kernels): KernelEntry[] {
  const known = new Map<string, KernelEntry>()
  return calls.map(({ k, a }) => {
    let entry = known.get(k)
    if (!entry) known.set(k, (entry = kernels.entry(k, deterministic)))
    const { length } = entry.params
    if (length !== a.length) throw new RangeError(message(k, `must be called with ${length} arguments`, a))
    return entry
  })
}

/** What a kernel gets for an argument; `at` are the addresses of the buffers. */
export function resolveArg(arg: Arg, at: readonly number[], symbols: Symbols): number {
  if (typeof arg === 'object') return at[arg.at] + (arg.plus ?? 0)
  return typeof arg === 'number' ? arg : evaluate(arg, symbols)
}

function bytesAt(buffer: PlanBuffer, symbols: Symbols): number {
  return buffer.shape.reduce<number>((product, dim) => product * evaluate(dim, symbols), viewBytes(buffer.dtype))
}
