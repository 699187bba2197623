/**
 * Plans as a model file carries them: what they name stands once in JSON, buffers and calls are rows of numbers in
 * tensors of their own, since an engine at its start is slow with text. Reading checks that values are of the kinds that
 * the rest of the runtime relies on; whether a plan is sound is runtime/sound.ts.
 */
import type { Arg, Call, Plan, PlanBuffer, Segment } from '../abi.ts'
import type { DType } from '../base/dtype.ts'
import { requireThat } from '../base/errors.ts'
import type { Dim } from '../base/shape.ts'
import { isCount, isRecord, isSize, isText, parseJson } from './json.ts'
import { tensorOf, type Tensor } from './safetensors.ts'

/** What rows refer to by number: every name, shape, kernel and literal argument of all plans once. */
export interface Tables {
  names: string[]
  shapes: Dim[][]
  kernels: string[]
  constants: (number | string | Place)[]
}

/** An address behind the first byte of a buffer. */
type Place = [at: number, plus: number]

/** What of a plan is no row. Plans of model files give the same bits everywhere: whether they do is no field. */
export interface PlanHead {
  name: string
  symbols: Record<string, number>
  inputs: string[]
  outputs: string[]
  /** Rows of each. */
  buffers: number
  calls: number
}

interface PlansJson extends Tables {
  plans: PlanHead[]
}

/** All plans of a file, as rows of numbers. */
export interface PlanRows {
  tables: Tables
  heads: readonly PlanHead[]
  /** [buffers, COLUMNS] of all plans, one behind the other. */
  buffers: Uint32Array
  calls: Uint32Array
}

const SEGMENTS: readonly Segment[] = ['weight', 'state', 'io', 'scratch']
const DTYPES: readonly DType[] = ['f32', 'f64', 'i32', 'i8', 'u8', 't2']

/** Tensors: the JSON, U8; U32 [buffers, COLUMNS]; U32, of each call its kernel, the number of its arguments, and these. */
export const PLANS = 'plans'
export const BUFFERS = 'plans.buffers'
export const CALLS = 'plans.calls'
/** Segment, dtype, shape, bytes, offset, and 1 + name or 0. */
const COLUMNS = 6

const WHERE = 'model file: plans'
const BUFFERS_MUST = 'must have buffers of the known kinds'
const CALLS_MUST = 'must have calls of a kernel with arguments'

/** Throws a RangeError where a plan is not deterministic or asks for 4 GiB. */
export function writePlans(plans: readonly Plan[]): Map<string, Tensor> {
  const names = new Table<string>()
  const shapes = new Table<readonly Dim[]>()
  const kernels = new Table<string>()
  const constants = new Table<number | string | Place>()
  const heads: PlanHead[] = []
  const bufferRows: number[] = []
  const callRows: number[] = []
  for (const { name, deterministic, symbols, inputs, outputs, buffers, calls } of plans) {
    requireThat(deterministic, `plan ${name}`, 'must be deterministic')
    heads.push({ name, symbols, inputs, outputs, buffers: buffers.length, calls: calls.length })
    for (const { segment, dtype, shape, bytes, offset, name } of buffers) {
      const named = name === undefined ? 0 : 1 + names.place(name)
      bufferRows.push(SEGMENTS.indexOf(segment), DTYPES.indexOf(dtype), shapes.place(shape), bytes, offset, named)
    }
    for (const { k, a } of calls) callRows.push(kernels.place(k), a.length, ...a.map((arg) => codeOf(arg, constants)))
  }
  const tables = { names: names.rows, shapes: shapes.rows, kernels: kernels.rows, constants: constants.rows }
  const json = new TextEncoder().encode(JSON.stringify({ ...tables, plans: heads }))
  return new Map([
    [PLANS, tensorOf(json)],
    [BUFFERS, tensorOf(words(bufferRows), [bufferRows.length / COLUMNS, COLUMNS])],
    [CALLS, tensorOf(words(callRows))],
  ])
}

/** Distinct values, and where each stands. */
class Table<T> {
  readonly rows: T[] = []
  private readonly places = new Map<string, number>()

  place(value: T): number {
    const key = JSON.stringify(value)
    const known = this.places.get(key)
    if (known !== undefined) return known
    this.places.set(key, this.rows.length)
    return this.rows.push(value) - 1
  }
}

/** Even: the address of a buffer; odd: a constant. */
function codeOf(arg: Arg, constants: Table<number | string | Place>): number {
  if (typeof arg !== 'object') return 2 * constants.place(arg) + 1
  return arg.plus === undefined ? 2 * arg.at : 2 * constants.place([arg.at, arg.plus]) + 1
}

function words(values: readonly number[]): Uint32Array {
  const bad = values.find((value) => !(isCount(value) && value < 2 ** 32))
  requireThat(bad === undefined, WHERE, 'must be whole numbers below 2^32', bad)
  return Uint32Array.from(values)
}

/** Throws a RangeError where tables, heads or rows are of another kind. */
export function readPlanRows(tensors: ReadonlyMap<string, Tensor>): PlanRows {
  const text = tensors.get(PLANS)
  requireThat(text?.dtype === 'U8', WHERE, 'must be U8', text?.dtype ?? null)
  const json = parseJson(WHERE, 'must be JSON in UTF-8', text.data as Uint8Array)
  requireThat(isPlansJson(json), WHERE, 'must have tables of names, shapes, kernels and constants, and a list of plans')
  requireThat(new Set(json.names).size === json.names.length, WHERE, 'must have every name once in their table')
  json.plans.forEach(requireHead)
  // A copy of the calls, which are read when the bytes of the file may be gone.
  const calls = rowsOf(tensors, CALLS).slice()
  return { tables: json, heads: json.plans, buffers: rowsOf(tensors, BUFFERS), calls }
}

/**
 * The plans of rows; calls become objects when they are first asked for. Throws a RangeError that names the plan, then
 * too, where a row is missing or refers to nothing.
 */
export function plansOf(rows: PlanRows): Plan[] {
  const reader = new PlanReader(rows)
  const plans = rows.heads.map((head) => reader.read(head))
  reader.requireEnd()
  return plans
}

function rowsOf(tensors: ReadonlyMap<string, Tensor>, name: string): Uint32Array {
  const tensor = tensors.get(name)
  requireThat(tensor?.dtype === 'U32', `model file: ${name}`, 'must be U32', tensor?.dtype ?? null)
  return tensor.data as Uint32Array
}

function isPlansJson(json: unknown): json is PlansJson {
  if (!isRecord(json) || !Array.isArray(json.plans)) return false
  const { names, shapes, kernels, constants } = json
  return (
    isListOf(names, isText) && isListOf(kernels, isText) && isListOf(shapes, isShape) && isListOf(constants, isConstant)
  )
}

function isListOf(list: unknown, is: (value: unknown) => boolean): boolean {
  return Array.isArray(list) && list.every(is)
}

function isShape(shape: unknown): boolean {
  return isListOf(shape, (dim) => isText(dim) || isCount(dim))
}

function isConstant(value: unknown): boolean {
  return typeof value === 'number' || isText(value) || (isListOf(value, isCount) && (value as Place).length === 2)
}

function requireHead(head: unknown): void {
  requireThat(isRecord(head) && isText(head.name), WHERE, 'every plan must have a name', head)
  const { name, symbols, inputs, outputs, buffers, calls } = head
  const where = `model file: plan ${name}`
  const hasSymbols = isRecord(symbols) && Object.values(symbols).every(isSize)
  requireThat(hasSymbols, where, 'symbols must have whole numbers above 0', symbols)
  requireThat(isListOf(inputs, isText) && isListOf(outputs, isText), where, 'must name its inputs and outputs')
  requireThat(isCount(buffers), where, BUFFERS_MUST)
  requireThat(isCount(calls), where, CALLS_MUST)
}

/** Reads plans from rows, one behind the other. */
class PlanReader {
  private readonly rows: PlanRows
  private readonly constants: Arg[]
  /** Addresses of buffers by number: calls share them. */
  private readonly addresses: Arg[] = []
  /** Where the next row begins. */
  private nextBuffer = 0
  private nextCall = 0

  constructor(rows: PlanRows) {
    this.rows = rows
    this.constants = rows.tables.constants.map((value) =>
      typeof value === 'object' ? { at: value[0], plus: value[1] } : value,
    )
  }

  read({ name, symbols, inputs, outputs, buffers, calls }: PlanHead): Plan {
    const where = `model file: plan ${name}`
    const readBuffers = this.buffers(buffers)
    requireThat(readBuffers !== undefined, where, BUFFERS_MUST)
    const from = this.nextCall
    requireThat(this.skipCalls(calls), where, CALLS_MUST)
    const readCalls = () => {
      const list = this.calls(from, calls, buffers)
      requireThat(list !== undefined, where, CALLS_MUST)
      return list
    }
    let list: Call[] | undefined
    return {
      name,
      deterministic: true,
      symbols,
      inputs,
      outputs,
      buffers: readBuffers,
      get calls() {
        return (list ??= readCalls())
      },
    }
  }

  requireEnd(): void {
    const { buffers, calls } = this.rows
    const isEnd = this.nextBuffer === buffers.length && this.nextCall === calls.length
    requireThat(isEnd, WHERE, 'must have the rows of their buffers and calls, and no more')
  }

  /** Undefined where a row is missing or refers to nothing. */
  private buffers(count: number): PlanBuffer[] | undefined {
    const { names, shapes } = this.rows.tables
    const rows = this.rows.buffers
    const list: PlanBuffer[] = []
    let i = this.nextBuffer
    for (; list.length < count; i += COLUMNS) {
      const segment = SEGMENTS[rows[i]]
      const dtype = DTYPES[rows[i + 1]]
      const shape = shapes[rows[i + 2]]
      const named = rows[i + 5]
      const name = named === 0 ? undefined : names[named - 1]
      if (segment === undefined || dtype === undefined || shape === undefined) return undefined
      if (named !== 0 && name === undefined) return undefined
      list.push({ name, segment, dtype, shape, bytes: rows[i + 3], offset: rows[i + 4] })
    }
    this.nextBuffer = i
    return list
  }

  /** False where a row is missing. */
  private skipCalls(count: number): boolean {
    const rows = this.rows.calls
    let i = this.nextCall
    let step = 0
    for (; step < count && i < rows.length; step++) i += 2 + rows[i + 1]
    this.nextCall = i
    return step === count && i <= rows.length
  }

  /** Undefined where a row refers to nothing. */
  private calls(from: number, count: number, buffers: number): Call[] | undefined {
    const { constants, addresses } = this
    const rows = this.rows.calls
    while (addresses.length < buffers) addresses.push({ at: addresses.length })
    const list: Call[] = []
    let i = from
    while (list.length < count) {
      const k = this.rows.tables.kernels[rows[i]]
      const length = rows[i + 1]
      const first = i + 2
      i = first + length
      if (k === undefined) return undefined
      const a = new Array<Arg>(length)
      for (let j = 0; j < length; j++) {
        const code = rows[first + j]
        const arg = code & 1 ? constants[code >>> 1] : addresses[code >>> 1]
        if (arg === undefined) return undefined
        a[j] = arg
      }
      list.push({ k, a })
    }
    return list
  }
}
