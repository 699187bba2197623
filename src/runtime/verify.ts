/**
 * Checks a plan before anyone runs it, at load and in tests: what lower() promises, and what a hostile model file may
 * break. Sizes that a call passes are not compared with its buffers: the sandbox bounds what a wrong one can reach.
 * Lifetimes are derived from the calls, not taken from the planner, so that the two check each other. A plan does
 * not say which arguments a kernel writes: of reads before writes only those of a call's first input are found.
 */
import type { Arg, Call, Isa, KernelEntry, Manifest, Plan, PlanBuffer } from '../abi.ts'
import { BUFFER_ALIGN, isInArena, packedBytes } from '../abi.ts'
import { elementBytes } from '../base/dtype.ts'
import { evaluate, type Symbols } from '../base/shape.ts'
import { message, refuse, requireThat, type Fault } from '../base/errors.ts'

/** First and last call that touches a buffer; an input that none touches: from 0 to -1. */
interface Span {
  from: number
  to: number
}

/** Bytes that the shape of a buffer needs at the largest symbols. */
function neededBytes({ dtype, shape }: PlanBuffer, symbols: Symbols): number {
  const last = shape.length - 1
  let rows = 1
  for (let i = 0; i < last; i++) rows *= evaluate(shape[i], symbols)
  const columns = last < 0 ? 1 : evaluate(shape[last], symbols)
  return dtype === 't2' ? packedBytes(rows, columns) : rows * columns * elementBytes(dtype)
}

/**
 * Throws a RangeError `plan <name>: ...` where a plan is not sound: offsets misaligned, negative or beyond
 * `arenaBytes`; two buffers that live at the same time overlap; a buffer that is too small for its shape, has no name
 * where it needs one, or is scratch or an output that no call touches; an argument that is no buffer or has an unknown
 * symbol; scratch that is the first input of a call before any other call could have written it; and, given a
 * manifest, calls of unknown kernels, with the wrong number of arguments, an address where a number belongs, or a
 * number where an address does (0 is an absent one).
 */
export function verify(plan: Plan, manifest?: Manifest, arenaBytes = Infinity): void {
  const where = `plan ${plan.name}`
  for (const [symbol, max] of Object.entries(plan.symbols)) {
    requireThat(
      Number.isInteger(max) && max >= 1,
      where,
      `the maximum of ${symbol} must be a whole number above 0`,
      max,
    )
  }
  plan.buffers.forEach((buffer, i) => {
    const fault = bufferFault(plan, buffer, arenaBytes)
    if (fault) refuse(fault, () => `${where}: buffer ${label(plan, i)}`)
  })
  const live = verifyCalls(plan, verifyNames(plan), manifest)
  plan.buffers.forEach(({ segment, name }, i) => {
    if (live.has(i)) return
    // What the host gives may be of use to gradients alone, and a state may be handed out through a view.
    const isGiven = segment !== 'scratch' && !(segment === 'io' && plan.outputs.includes(name!))
    requireThat(isGiven, where, `buffer ${label(plan, i)} must be touched by a call`)
  })
  verifyOverlaps(plan, live)
}

function label(plan: Plan, i: number): string {
  return plan.buffers[i].name ?? `%${i}`
}

function bufferFault({ symbols }: Plan, buffer: PlanBuffer, arenaBytes: number): Fault {
  const { bytes, offset, segment, dtype, shape } = buffer
  if (!Number.isSafeInteger(bytes) || bytes < 0) return ['bytes must be a whole number', bytes]
  const needed = neededBytes(buffer, symbols)
  if (!(bytes >= needed)) return [`must have ${needed} bytes for ${dtype} [${shape}]`, bytes]
  if (segment !== 'scratch' && !buffer.name) return [`must have a name: it is ${segment}`]
  if (!isInArena(buffer)) return undefined
  if (!Number.isSafeInteger(offset) || offset < 0) return ['offset must be a whole number', offset]
  if (offset % BUFFER_ALIGN !== 0) return [`offset must be a multiple of ${BUFFER_ALIGN}`, offset]
  return offset + bytes <= arenaBytes ? undefined : [`must end within the arena of ${arenaBytes} bytes`, offset + bytes]
}

/** Checks names, inputs and outputs. Returns the buffers that have names, by name. */
function verifyNames({ name: planName, buffers, inputs, outputs }: Plan): Map<string, number> {
  const where = `plan ${planName}`
  const named = new Map<string, number>()
  buffers.forEach(({ name }, i) => {
    if (name === undefined) return
    if (named.has(name)) throw new RangeError(message(where, 'every name must stand for one buffer', name))
    named.set(name, i)
  })
  const segmentOf = (name: string) => buffers[named.get(name) ?? -1]?.segment
  for (const name of inputs) {
    requireThat(segmentOf(name) === 'io', where, 'every input must be an io buffer', name)
  }
  for (const name of outputs) {
    const isNamed = named.has(name) && segmentOf(name) !== 'scratch'
    requireThat(isNamed, where, 'every output must be a named buffer', name)
  }
  return named
}

/**
 * Checks the calls in one pass. Returns the spans of the buffers that live, by index, in the order in which they come to
 * life: inputs live from the start, outputs to the end.
 */
function verifyCalls(plan: Plan, named: ReadonlyMap<string, number>, manifest?: Manifest): Map<number, Span> {
  const entries = manifest && entriesOf(manifest, plan.deterministic)
  const live = new Map<number, Span>()
  for (const name of plan.inputs) live.set(named.get(name)!, { from: 0, to: -1 })
  plan.calls.forEach((call, step) => {
    const fault =
      argsFault(plan, call) ??
      (entries && callFault(call, entries.get(call.k), manifest.isa)) ??
      firstInputFault(plan, call, live)
    if (fault) refuse(fault, () => `plan ${plan.name}: call ${step} ${call.k}`)
    for (const arg of call.a) {
      if (typeof arg !== 'object') continue
      const span = live.get(arg.at)
      if (span) span.to = step
      else live.set(arg.at, { from: step, to: step })
    }
  })
  for (const name of plan.outputs) {
    const at = named.get(name)!
    const span = live.get(at)
    if (span && plan.buffers[at].segment === 'io') span.to = plan.calls.length
  }
  return live
}

/** Of each family the first kernel that a plan may call. */
function entriesOf({ kernels }: Manifest, deterministic: boolean): Map<string, KernelEntry> {
  const entries = new Map<string, KernelEntry>()
  for (const kernel of kernels) {
    if ((kernel.deterministic || !deterministic) && !entries.has(kernel.family)) entries.set(kernel.family, kernel)
  }
  return entries
}

function argsFault(plan: Plan, { a: args }: Call): Fault {
  for (let i = 0; i < args.length; i++) {
    const fault = argFault(plan, args[i])
    if (fault) return [`argument ${i}: ${fault[0]}`, fault[1]]
  }
  return undefined
}

function argFault({ buffers, symbols }: Plan, arg: Arg): Fault {
  if (typeof arg === 'number') return Number.isFinite(arg) ? undefined : ['must be a finite number', arg]
  if (typeof arg === 'string') {
    const value = evaluate(arg, symbols)
    return Number.isSafeInteger(value) ? undefined : ['must be a whole number at the largest symbols', value]
  }
  const { at, plus = 0 } = arg
  if (!Number.isInteger(at) || at < 0 || at >= buffers.length) return [`must be one of ${buffers.length} buffers`, at]
  const { bytes } = buffers[at]
  const within = Number.isInteger(plus) && plus >= 0 && plus % 4 === 0 && (plus === 0 || plus < bytes)
  return within ? undefined : [`must lie at whole words within ${bytes} bytes`, plus]
}

function callFault({ a: args }: Call, entry: KernelEntry | undefined, isa: Isa): Fault {
  if (!entry) return [`must be a kernel of the ${isa} module`]
  const { params } = entry
  if (args.length !== params.length) return [`must have ${params.length} arguments`, args.length]
  for (let i = 0; i < params.length; i++) {
    const { 0: name, 1: type } = params[i]
    const arg = args[i]
    if (name.endsWith('At')) {
      if (typeof arg !== 'object' && arg !== 0) return [`${name} must be a buffer or 0`, arg]
    } else if (typeof arg === 'number') {
      if (type === 'i32' && !Number.isInteger(arg)) return [`${name} must be a whole number`, arg]
    } else if (typeof arg !== 'string' || type !== 'i32') return [`${name} must be a number: it is ${type}`, arg]
  }
  return undefined
}

/**
 * Inputs come first in the arguments of a kernel; only those that fill memory have a single buffer and no input. `live`
 * are the buffers of the calls before.
 */
function firstInputFault(plan: Plan, { a: args }: Call, live: ReadonlyMap<number, Span>): Fault {
  let first = -1
  let addresses = 0
  for (const arg of args) {
    if (typeof arg !== 'object') continue
    if (addresses++ === 0) first = arg.at
  }
  if (addresses < 2 || plan.buffers[first].segment !== 'scratch' || live.has(first)) return undefined
  return [`must not read ${label(plan, first)} before a call has written it`]
}

/** Each buffer of the arena is compared with those that live when it comes to life: few, at any time. */
function verifyOverlaps(plan: Plan, live: ReadonlyMap<number, Span>): void {
  let open: number[] = []
  for (const [i, { from, to }] of live) {
    const { bytes, offset } = plan.buffers[i]
    if (!isInArena(plan.buffers[i]) || bytes === 0 || from > to) continue
    const still = [i]
    for (const j of open) {
      if (live.get(j)!.to < from) continue
      still.push(j)
      const other = plan.buffers[j]
      if (offset + bytes <= other.offset || other.offset + other.bytes <= offset) continue
      const must = `${label(plan, i)} and ${label(plan, j)} must not overlap: both live at call ${from}`
      throw new RangeError(message(`plan ${plan.name}`, must))
    }
    open = still
  }
}
