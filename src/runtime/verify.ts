/**
 * Checks a plan before anyone runs it, at load and in tests: what lower() promises, and what a hostile model file may
 * break. Sizes that a call passes are not compared with its buffers: the sandbox bounds what a wrong one can reach.
 * Lifetimes are derived from the calls, not taken from the planner, so that the two check each other. A plan does
 * not say which arguments a kernel writes: of reads before writes only those of a call's first input are found.
 * Loops go by index: this is run once, by an interpreter, which makes an object of every step through a list.
 */
import type { Arg, Call, KernelEntry, Manifest, Plan, PlanBuffer } from '../abi.ts'
import { BUFFER_ALIGN, isInArena, packedBytes } from '../abi.ts'
import { elementBytes } from '../base/dtype.ts'
import { evaluator, type Dim } from '../base/shape.ts'
import { message, refuse, requireThat, type Fault } from '../base/errors.ts'

/** When buffers live, by index: the first and the last call that touches them; -1: none. */
interface Lives {
  from: Int32Array
  to: Int32Array
  /** Buffers in the order in which they come to life. */
  order: number[]
}

/** What a dimension is at the largest symbols. */
type Largest = (dim: Dim) => number

/** Bytes that the shape of a buffer needs. */
function neededBytes({ dtype, shape }: PlanBuffer, largest: Largest): number {
  const last = shape.length - 1
  let rows = 1
  for (let i = 0; i < last; i++) rows *= largest(shape[i])
  const columns = last < 0 ? 1 : largest(shape[last])
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
  const largest = evaluator(plan.symbols)
  plan.buffers.forEach((buffer, i) => {
    const fault = bufferFault(buffer, largest, arenaBytes)
    if (fault) refuse(fault, () => `${where}: buffer ${label(plan, i)}`)
  })
  const live = verifyCalls(plan, verifyNames(plan), largest, manifest)
  plan.buffers.forEach(({ segment, name }, i) => {
    if (live.from[i] >= 0) return
    // What the host gives may be of use to gradients alone, and a state may be handed out through a view.
    const isGiven = segment !== 'scratch' && !(segment === 'io' && plan.outputs.includes(name!))
    requireThat(isGiven, where, `buffer ${label(plan, i)} must be touched by a call`)
  })
  verifyOverlaps(plan, live)
}

function label(plan: Plan, i: number): string {
  return plan.buffers[i].name ?? `%${i}`
}

function bufferFault(buffer: PlanBuffer, largest: Largest, arenaBytes: number): Fault {
  const { bytes, offset, segment, dtype, shape } = buffer
  if (!Number.isSafeInteger(bytes) || bytes < 0) return ['bytes must be a whole number', bytes]
  const needed = neededBytes(buffer, largest)
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

/** Checks the calls in one pass. Of what lives, inputs do from the start and outputs to the end. */
function verifyCalls(plan: Plan, named: ReadonlyMap<string, number>, largest: Largest, manifest?: Manifest): Lives {
  const entries = manifest && entriesOf(manifest, plan.deterministic)
  const none = () => new Int32Array(plan.buffers.length).fill(-1)
  const live: Lives = { from: none(), to: none(), order: [] }
  const begin = (i: number, step: number) => {
    if (live.from[i] >= 0) return
    live.from[i] = step
    live.order.push(i)
  }
  for (const name of plan.inputs) begin(named.get(name)!, 0)
  plan.calls.forEach((call, step) => {
    const entry = entries?.get(call.k)
    const isUnknown = entries && !entry
    const fault: Fault = isUnknown
      ? [`must be a kernel of the ${manifest.isa} module`]
      : callFault(plan, call, entry?.params, live, largest)
    if (fault) refuse(fault, () => `plan ${plan.name}: call ${step} ${call.k}`)
    for (let i = 0; i < call.a.length; i++) {
      const arg = call.a[i]
      if (typeof arg !== 'object') continue
      begin(arg.at, step)
      live.to[arg.at] = step
    }
  })
  for (const name of plan.outputs) {
    const i = named.get(name)!
    if (live.from[i] >= 0 && plan.buffers[i].segment === 'io') live.to[i] = plan.calls.length
  }
  return live
}

/** Of each family the first kernel that a plan may call. */
function entriesOf({ kernels }: Manifest, deterministic: boolean): Map<string, KernelEntry> {
  const entries = new Map<string, KernelEntry>()
  for (let i = 0; i < kernels.length; i++) {
    const kernel = kernels[i]
    if ((kernel.deterministic || !deterministic) && !entries.has(kernel.family)) entries.set(kernel.family, kernel)
  }
  return entries
}

/** `params` are those of the kernel, if it is known; `live` tells of the calls before. */
function callFault(
  plan: Plan,
  { a: args }: Call,
  params: KernelEntry['params'] | undefined,
  live: Lives,
  largest: Largest,
): Fault {
  if (params && args.length !== params.length) return [`must have ${params.length} arguments`, args.length]
  let first = -1
  let addresses = 0
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]
    const fault = argFault(plan, arg, largest) ?? (params && kindFault(params[i], arg))
    if (fault) return [`argument ${i}: ${fault[0]}`, fault[1]]
    if (typeof arg === 'object' && addresses++ === 0) first = arg.at
  }
  // Inputs come first in the arguments of a kernel; only those that fill memory have a single buffer and no input.
  if (addresses < 2 || plan.buffers[first].segment !== 'scratch' || live.from[first] >= 0) return undefined
  return [`must not read ${label(plan, first)} before a call has written it`]
}

function argFault({ buffers }: Plan, arg: Arg, largest: Largest): Fault {
  if (typeof arg === 'number') return Number.isFinite(arg) ? undefined : ['must be a finite number', arg]
  if (typeof arg === 'string') {
    const value = largest(arg)
    return Number.isSafeInteger(value) ? undefined : ['must be a whole number at the largest symbols', value]
  }
  const { at, plus } = arg
  if (!Number.isInteger(at) || at < 0 || at >= buffers.length) return [`must be one of ${buffers.length} buffers`, at]
  if (plus === undefined) return undefined
  const { bytes } = buffers[at]
  const within = Number.isInteger(plus) && plus >= 0 && plus % 4 === 0 && (plus === 0 || plus < bytes)
  return within ? undefined : [`must lie at whole words within ${bytes} bytes`, plus]
}

function kindFault({ 0: name, 1: type }: KernelEntry['params'][number], arg: Arg): Fault {
  if (name.endsWith('At')) {
    return typeof arg === 'object' || arg === 0 ? undefined : [`${name} must be a buffer or 0`, arg]
  }
  if (typeof arg === 'number') {
    return type === 'f32' || Number.isInteger(arg) ? undefined : [`${name} must be a whole number`, arg]
  }
  return typeof arg === 'string' && type === 'i32' ? undefined : [`${name} must be a number: it is ${type}`, arg]
}

/** Each buffer of the arena is compared with those that live when it comes to life: few, at any time. */
function verifyOverlaps(plan: Plan, { from, to, order }: Lives): void {
  const { buffers } = plan
  const open: number[] = []
  for (let next = 0; next < order.length; next++) {
    const i = order[next]
    const { bytes, offset } = buffers[i]
    if (!isInArena(buffers[i]) || bytes === 0 || from[i] > to[i]) continue
    let still = 0
    for (let k = 0; k < open.length; k++) {
      const j = open[k]
      if (to[j] < from[i]) continue
      open[still++] = j
      const other = buffers[j]
      if (offset + bytes <= other.offset || other.offset + other.bytes <= offset) continue
      const must = `${label(plan, i)} and ${label(plan, j)} must not overlap: both live at call ${from[i]}`
      throw new RangeError(message(`plan ${plan.name}`, must))
    }
    open.length = still
    open.push(i)
  }
}
