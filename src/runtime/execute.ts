/**
 * Runs plans on a kernel module. Weights and state are laid out once for all plans; the arena (inputs, outputs and
 * scratch) is shared by them, so outputs are read before the next run. Memory is reserved once, at construction.
 */
import type { Arg, Plan, PlanBuffer } from '../abi.ts'
import { BUFFER_ALIGN, roundUp } from '../abi.ts'
import { elementBytes, type TensorData } from '../base/dtype.ts'
import { evaluate, type Symbols } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import type { Kernels } from './kernels.ts'
import { layOut, type MemoryLayout, type MemoryUse } from './layout.ts'

interface BoundPlan {
  plan: Plan
  functions: ((...args: number[]) => void)[]
  /** Byte offset of every buffer in memory. */
  at: number[]
  /** Arguments of all calls for the symbols that they were evaluated with. */
  symbolsKey: string
  args: number[][]
}

export class Executor {
  readonly kernels: Kernels
  readonly memoryUse: MemoryUse
  /** While set, hears of every kernel call of a plan: its family, its arguments, and how long it took. */
  profile?: (family: string, args: readonly number[], ms: number) => void
  /** The trap that ended this executor, if one did. */
  private trap?: WebAssembly.RuntimeError
  private readonly plans = new Map<string, BoundPlan>()
  private readonly kept: MemoryLayout['kept']

  /** Lays out memory for `plans`; throws where a kernel is missing or memory cannot be had. */
  constructor(kernels: Kernels, plans: readonly Plan[]) {
    this.kernels = kernels
    const { memoryUse, kept, addressesOf } = layOut(kernels.manifest.heapBase, plans)
    this.memoryUse = memoryUse
    this.kept = kept
    kernels.reserve(this.memoryUse.total)
    for (const plan of plans) {
      const functions = plan.calls.map((call) => {
        const entry = kernels.entry(call.k, plan.deterministic)
        requireThat(
          entry.params.length === call.a.length,
          call.k,
          `must be called with ${entry.params.length} arguments`,
          call.a,
        )
        return kernels.function(entry)
      })
      this.plans.set(plan.name, { plan, functions, at: addressesOf(plan), symbolsKey: '', args: [] })
    }
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
    return this.bound(planName).plan.symbols[symbol]
  }

  hasPlan(planName: string): boolean {
    return this.plans.has(planName)
  }

  /** Names of the outputs of a plan. */
  outputs(planName: string): readonly string[] {
    return this.bound(planName).plan.outputs
  }

  hasIo(planName: string, name: string): boolean {
    return this.bound(planName).plan.buffers.some((b) => b.name === name && b.segment === 'io')
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

  /**
   * Runs a plan with a value for each of its symbols, none above the planned maximum. After a trap memory may be half
   * written: every later run is refused, the caller starts a new executor on a new instance.
   */
  run(planName: string, symbols: Symbols = {}): void {
    const bound = this.bound(planName)
    if (this.trap) throw new Error(`plan ${planName}: kernels must not have trapped, got ${this.trap.message}`)
    const { plan, functions } = bound
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
    }
    try {
      if (this.profile) return this.runProfiled(bound, this.profile)
      for (let i = 0; i < functions.length; i++) functions[i](...bound.args[i])
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) this.trap = error
      throw error
    }
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

  private runProfiled({ plan, functions, args }: BoundPlan, profile: NonNullable<Executor['profile']>): void {
    functions.forEach((kernel, i) => {
      const start = performance.now()
      kernel(...args[i])
      profile(plan.calls[i].k, args[i], performance.now() - start)
    })
  }

  private bound(planName: string): BoundPlan {
    const bound = this.plans.get(planName)
    requireThat(bound !== undefined, 'executor', `must have a plan ${planName}; it has ${[...this.plans.keys()]}`)
    return bound
  }

  private viewOf(buffer: PlanBuffer, at: number, bytes: number): TensorData {
    const width = buffer.dtype === 't2' ? 1 : elementBytes(buffer.dtype)
    return this.kernels.view(buffer.dtype, at, bytes / width)
  }
}

/** What a kernel gets for an argument; `at` are the addresses of the buffers. */
export function resolveArg(arg: Arg, at: readonly number[], symbols: Symbols): number {
  if (typeof arg === 'object') return at[arg.at] + (arg.plus ?? 0)
  return typeof arg === 'number' ? arg : evaluate(arg, symbols)
}

function bytesAt(buffer: PlanBuffer, symbols: Symbols): number {
  const width = buffer.dtype === 't2' ? 1 : elementBytes(buffer.dtype)
  return buffer.shape.reduce<number>((product, dim) => product * evaluate(dim, symbols), width)
}
