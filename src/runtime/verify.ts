/**
 * Checks a plan before anyone runs it, at load and in tests: what lower() promises, and what a hostile model file may
 * break. Sizes that a call passes are not compared with its buffers: the sandbox bounds what a wrong one can reach.
 * Lifetimes are derived from the calls, not taken from the planner, so that the two check each other. A plan does
 * not say which arguments a kernel writes: of reads before writes only those of a call's first input are found.
 */
import type { Arg, Call, Manifest, Plan, PlanBuffer } from '../abi.ts'
import { BUFFER_ALIGN, isInArena, packedBytes } from '../abi.ts'
import { elementBytes } from '../base/dtype.ts'
import { evaluate, type Symbols } from '../base/shape.ts'
import { message, requireThat } from '../base/errors.ts'

/** First and last call that touches a buffer; untouched: from > to. */
interface Span {
  from: number
  to: number
}

/** Span of every buffer over the calls; inputs live from the start, outputs to the end. */
function spans(plan: Plan): Span[] {
  const spans = plan.buffers.map((): Span => ({ from: Infinity, to: -1 }))
  plan.calls.forEach((call, step) => {
    for (const arg of call.a) {
      if (typeof arg !== 'object') continue
      const span = spans[arg.at]
      span.from = Math.min(span.from, step)
      span.to = Math.max(span.to, step)
    }
  })
  plan.buffers.forEach((buffer, i) => {
    if (buffer.segment !== 'io') return
    if (plan.inputs.includes(buffer.name!)) spans[i].from = 0
    if (plan.outputs.includes(buffer.name!)) spans[i].to = plan.calls.length
  })
  return spans
}

/** Bytes that the shape of a buffer needs at the largest symbols. */
function neededBytes({ dtype, shape }: PlanBuffer, symbols: Symbols): number {
  const sizes = shape.map((dim) => evaluate(dim, symbols))
  const product = (list: number[]) => list.reduce((total, n) => total * n, 1)
  if (dtype === 't2') return packedBytes(product(sizes.slice(0, -1)), sizes.at(-1) ?? 1)
  return product(sizes) * elementBytes(dtype)
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
  plan.buffers.forEach((buffer, i) => verifyBuffer(plan, buffer, i, arenaBytes))
  verifyNames(plan)
  plan.calls.forEach((call, step) => {
    call.a.forEach((arg, i) => check(argFault(plan, arg), () => `${where}: call ${step} ${call.k}: argument ${i}`))
    if (manifest) check(callFault(plan, call, manifest), () => `${where}: call ${step} ${call.k}`)
  })
  const live = spans(plan)
  live.forEach(({ from, to }, i) => {
    const { segment, name } = plan.buffers[i]
    // What the host gives may be of use to gradients alone, and a state may be handed out through a view.
    const isGiven = segment !== 'scratch' && !(segment === 'io' && plan.outputs.includes(name!))
    if (from > to && !isGiven)
      throw new RangeError(message(where, `buffer ${label(plan, i)} must be touched by a call`))
  })
  verifyFirstInputs(plan, live)
  verifyOverlaps(plan, live)
}

/** What must hold and does not, with what was seen. Texts of thousands of arguments are not made unless they are needed. */
type Fault = [must: string, got?: unknown] | undefined

function check(fault: Fault, where: () => string): void {
  if (fault) throw new RangeError(message(where(), ...fault))
}

function label(plan: Plan, i: number): string {
  return plan.buffers[i].name ?? `%${i}`
}

function verifyBuffer(plan: Plan, buffer: PlanBuffer, i: number, arenaBytes: number): void {
  const where = `plan ${plan.name}: buffer ${label(plan, i)}`
  const { bytes, offset } = buffer
  requireThat(Number.isSafeInteger(bytes) && bytes >= 0, where, 'bytes must be a whole number', bytes)
  const needed = neededBytes(buffer, plan.symbols)
  requireThat(bytes >= needed, where, `must have ${needed} bytes for ${buffer.dtype} [${buffer.shape}]`, bytes)
  requireThat(buffer.segment === 'scratch' || !!buffer.name, where, `must have a name: it is ${buffer.segment}`)
  if (!isInArena(buffer)) return
  requireThat(Number.isSafeInteger(offset) && offset >= 0, where, 'offset must be a whole number', offset)
  requireThat(offset % BUFFER_ALIGN === 0, where, `offset must be a multiple of ${BUFFER_ALIGN}`, offset)
  requireThat(offset + bytes <= arenaBytes, where, `must end within the arena of ${arenaBytes} bytes`, offset + bytes)
}

function verifyNames(plan: Plan): void {
  const where = `plan ${plan.name}`
  const names = plan.buffers.flatMap((buffer) => (buffer.name === undefined ? [] : [buffer.name]))
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  requireThat(twice === undefined, where, 'every name must stand for one buffer', twice)
  for (const name of plan.inputs) {
    requireThat(
      plan.buffers.some((b) => b.name === name && b.segment === 'io'),
      where,
      'every input must be an io buffer',
      name,
    )
  }
  for (const name of plan.outputs) {
    requireThat(
      plan.buffers.some((b) => b.name === name && b.segment !== 'scratch'),
      where,
      'every output must be a named buffer',
      name,
    )
  }
}

function argFault(plan: Plan, arg: Arg): Fault {
  if (typeof arg === 'number') return Number.isFinite(arg) ? undefined : ['must be a finite number', arg]
  if (typeof arg === 'string') {
    const value = evaluate(arg, plan.symbols)
    return Number.isSafeInteger(value) ? undefined : ['must be a whole number at the largest symbols', value]
  }
  const { at, plus = 0 } = arg
  if (!Number.isInteger(at) || at < 0 || at >= plan.buffers.length)
    return [`must be one of ${plan.buffers.length} buffers`, at]
  const { bytes } = plan.buffers[at]
  const within = Number.isInteger(plus) && plus >= 0 && plus % 4 === 0 && (plus === 0 || plus < bytes)
  return within ? undefined : [`must lie at whole words within ${bytes} bytes`, plus]
}

function callFault({ deterministic }: Plan, { k: family, a: args }: Call, { isa, kernels }: Manifest): Fault {
  const entry = kernels.find((kernel) => kernel.family === family && (kernel.deterministic || !deterministic))
  if (!entry) return [`must be a kernel of the ${isa} module`]
  if (args.length !== entry.params.length) return [`must have ${entry.params.length} arguments`, args.length]
  for (const [i, [name, type]] of entry.params.entries()) {
    const arg = args[i]
    if (name.endsWith('At')) {
      if (typeof arg !== 'object' && arg !== 0) return [`${name} must be a buffer or 0`, arg]
    } else if (typeof arg === 'number') {
      if (type === 'i32' && !Number.isInteger(arg)) return [`${name} must be a whole number`, arg]
    } else if (typeof arg !== 'string' || type !== 'i32') return [`${name} must be a number: it is ${type}`, arg]
  }
  return undefined
}

/** Inputs come first in the arguments of a kernel; only those that fill memory have a single buffer and no input. */
function verifyFirstInputs(plan: Plan, live: readonly Span[]): void {
  plan.calls.forEach((call, step) => {
    const [first, ...rest] = call.a.flatMap((arg) => (typeof arg === 'object' ? [arg.at] : []))
    if (rest.length === 0 || plan.buffers[first].segment !== 'scratch') return
    if (live[first].from < step) return
    const must = `must not read ${label(plan, first)} before a call has written it`
    throw new RangeError(message(`plan ${plan.name}: call ${step} ${call.k}`, must))
  })
}

/** Sorted by offset, only neighbours that still reach the next offset are compared. */
function verifyOverlaps(plan: Plan, live: readonly Span[]): void {
  const arena = plan.buffers.flatMap((buffer, i) => (isInArena(buffer) && buffer.bytes > 0 ? [i] : []))
  arena.sort((a, b) => plan.buffers[a].offset - plan.buffers[b].offset)
  let open: number[] = []
  for (const i of arena) {
    const start = plan.buffers[i].offset
    open = open.filter((j) => plan.buffers[j].offset + plan.buffers[j].bytes > start)
    for (const j of open) {
      if (live[i].from > live[j].to || live[j].from > live[i].to) continue
      const must = `${label(plan, i)} and ${label(plan, j)} must not overlap: both live at call`
      throw new RangeError(message(`plan ${plan.name}`, `${must} ${Math.max(live[i].from, live[j].from)}`))
    }
    open.push(i)
  }
}
