/**
 * Plans as a model file carries them: JSON in which buffers and calls are rows, half as long as the objects that they
 * stand for, since an engine at its start is slow with text. Reading checks that values are of the kinds that the rest
 * of the runtime relies on; whether a plan is sound is runtime/verify.ts.
 */
import type { Arg, Call, Plan, PlanBuffer, Segment } from '../abi.ts'
import type { DType } from '../base/dtype.ts'
import { requireThat } from '../base/errors.ts'
import type { Dim } from '../base/shape.ts'
import { isCount, isRecord, isSize, isText, parseJson } from './json.ts'

type BufferRow = [segment: Segment, dtype: DType, bytes: number, offset: number, shape: Dim[], name?: string]
/** The address of a buffer, or of a place in it, is a list: numbers and dimensions stand for themselves. */
type ArgRow = number | string | [at: number, plus?: number]
type CallRow = [kernel: string, ...args: ArgRow[]]

/** Plans of model files give the same bits everywhere: whether they do is no field. */
interface PlanRows {
  name: string
  symbols: Record<string, number>
  inputs: string[]
  outputs: string[]
  buffers: BufferRow[]
  calls: CallRow[]
}

const SEGMENTS: readonly Segment[] = ['weight', 'state', 'io', 'scratch']
const DTYPES: readonly DType[] = ['f32', 'f64', 'i32', 'i8', 'u8', 't2']

const WHERE = 'model file: plans'

/** JSON in UTF-8. Throws a RangeError where a plan is not deterministic. */
export function writePlans(plans: readonly Plan[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(plans.map(rowsOf)))
}

function rowsOf({ name, deterministic, symbols, inputs, outputs, buffers, calls }: Plan): PlanRows {
  requireThat(deterministic, `plan ${name}`, 'must be deterministic')
  return { name, symbols, inputs, outputs, buffers: buffers.map(bufferRow), calls: calls.map(callRow) }
}

function bufferRow({ segment, dtype, bytes, offset, shape, name }: PlanBuffer): BufferRow {
  return name === undefined ? [segment, dtype, bytes, offset, shape] : [segment, dtype, bytes, offset, shape, name]
}

function callRow({ k, a }: Call): CallRow {
  return [k, ...a.map((arg) => (typeof arg === 'object' ? addressRow(arg) : arg))]
}

function addressRow({ at, plus }: { at: number; plus?: number }): ArgRow {
  return plus === undefined ? [at] : [at, plus]
}

/** Throws a RangeError that names the plan, and what of it is of another kind. */
export function readPlans(text: Uint8Array): Plan[] {
  const plans = parseJson(WHERE, 'must be JSON in UTF-8', text)
  requireThat(Array.isArray(plans), WHERE, 'must be a list', plans)
  return plans.map(readPlan)
}

function readPlan(value: unknown): Plan {
  requireThat(isRecord(value) && isText(value.name), WHERE, 'every plan must have a name', value)
  const { name, symbols, inputs, outputs, buffers, calls } = value as Partial<PlanRows> & { name: string }
  const where = `model file: plan ${name}`
  const hasSymbols = isRecord(symbols) && Object.values(symbols).every(isSize)
  requireThat(hasSymbols, where, 'symbols must have whole numbers above 0', symbols)
  const named = Array.isArray(inputs) && inputs.every(isText) && Array.isArray(outputs) && outputs.every(isText)
  requireThat(named, where, 'must name its inputs and outputs')
  const readBuffers = listOf(buffers, readBuffer)
  requireThat(readBuffers !== undefined, where, 'must have buffers of the known kinds')
  const readCalls = listOf(calls, readCall)
  requireThat(readCalls !== undefined, where, 'must have calls of a kernel with arguments')
  return { name, deterministic: true, symbols, inputs, outputs, buffers: readBuffers, calls: readCalls }
}

/** What the rows of a list stand for; undefined where one stands for nothing. */
function listOf<Row, T>(rows: Row[] | undefined, read: (row: Row) => T | undefined): T[] | undefined {
  if (!Array.isArray(rows)) return undefined
  const list: T[] = []
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]
    const one = Array.isArray(row) ? read(row) : undefined
    if (one === undefined) return undefined
    list.push(one)
  }
  return list
}

/** Rows are read by index: an engine at its start takes far longer to step through them. */
function readBuffer(row: BufferRow): PlanBuffer | undefined {
  const segment = row[0]
  const dtype = row[1]
  const bytes = row[2]
  const offset = row[3]
  const shape = row[4]
  const name = row[5]
  const known = (name === undefined || isText(name)) && SEGMENTS.includes(segment) && DTYPES.includes(dtype)
  const fits = known && isCount(bytes) && isCount(offset) && isCount(bytes + offset)
  return fits && isShape(shape) ? { name, segment, dtype, shape, bytes, offset } : undefined
}

function isShape(shape: unknown): shape is Dim[] {
  if (!Array.isArray(shape)) return false
  for (let i = 0; i < shape.length; i++) if (!isText(shape[i]) && !isCount(shape[i])) return false
  return true
}

function readCall(row: CallRow): Call | undefined {
  const k = row[0]
  if (!isText(k)) return undefined
  const a: Arg[] = []
  for (let i = 1; i < row.length; i++) {
    const arg = row[i]
    if (typeof arg === 'number' || typeof arg === 'string') a.push(arg)
    else if (!Array.isArray(arg) || !isCount(arg[0]) || !isCount(arg[1] ?? 0)) return undefined
    else a.push(arg.length === 1 ? { at: arg[0] } : { at: arg[0], plus: arg[1] })
  }
  return { k, a }
}
