/**
 * Whether the plans of a file are sound, in WebAssembly on their rows (assembly/checks/plans.ts): verify.ts would take a
 * tenth of a start. Where they are not, it says what is wrong.
 */
import { BLOCK, BLOCK_BYTES, roundUp } from '../abi.ts'
import { message } from '../base/errors.ts'
import { evaluate, symbolsIn, type Dim, type Symbols } from '../base/shape.ts'
import { checksWith, type Checks } from '../io/checks.ts'
import type { ModelFile } from '../io/model-file.ts'
import type { PlanHead, PlanRows, Tables } from '../io/plan-tables.ts'
import type { Kernels } from './kernels.ts'
import { verify } from './verify.ts'

/** Bytes of a row of each table, whose columns assembly/checks/plans.ts tells, and of a word. */
const SHAPE = 8
const CONSTANT = 24
const KERNEL = 8
const WORD = 4
/** What a constant is. */
const INTEGER = 0
const FRACTION = 1
const SIZE = 2
const PLACE = 3
const OF_NO_USE = 4
/** What a kernel takes. */
const KINDS = { address: 0, i32: 1, f32: 2 }
/** In the place of a number of parameters. */
const UNKNOWN = 2 ** 32 - 1

/** Throws a RangeError unless all plans are what verify.ts asks of them. */
export function requireSound({ plans, rows }: Pick<ModelFile, 'plans' | 'rows'>, kernels: Kernels): void {
  if (areSound(rows, kernels)) return
  for (const plan of plans) verify(plan, kernels.manifest)
  throw new RangeError(message('model file', 'plans must be sound'))
}

/** The same as a yes or no. */
export function areSound(rows: PlanRows, kernels: Kernels): boolean {
  const memory = new CheckMemory(rows, kernels)
  return rows.heads.every((head) => memory.isSound(head))
}

/** What a kernel takes, by parameter; nothing of a family that plans may not call. */
function kindsOf(family: string, kernels: Kernels): number[] | undefined {
  return kernels.variants(family)[0]?.params.map(([name, type]) => (name.endsWith('At') ? KINDS.address : KINDS[type]))
}

/** A size at the largest symbols of a plan; NaN where one of its symbols is none of the plan. */
function sizeAt(size: string, symbols: Symbols): number {
  return symbolsIn(size).every((symbol) => symbols[symbol] !== undefined) ? evaluate(size, symbols) : NaN
}

/** Rows of all plans and their tables, in the memory of the module. */
class CheckMemory {
  private readonly checks: Checks
  private readonly words: Uint32Array
  private readonly floats: Float64Array
  private readonly names: readonly string[]
  /** Constants of calls, and behind them what dimensions of shapes there are beside. */
  private readonly constants: Tables['constants']
  private readonly constantsAt: number
  private readonly portsAt: number

  constructor({ tables, heads, buffers, calls }: PlanRows, kernels: Kernels) {
    const { names, shapes } = tables
    const constants = [...tables.constants]
    const places = new Map(constants.map((value, i): [unknown, number] => [value, i]))
    const placeOf = (dim: Dim) => places.get(dim) ?? (places.set(dim, constants.length), constants.push(dim) - 1)
    const dimensions = shapes.flatMap((shape) => shape.map(placeOf))
    const kinds = tables.kernels.map((family) => kindsOf(family, kernels))
    const most = (count: (head: PlanHead) => number) => heads.reduce((n, head) => Math.max(n, count(head)), 0)
    let end = 0
    const take = (bytes: number) => {
      const at = end
      end += roundUp(bytes, 8)
      return at
    }
    const shapesAt = take(shapes.length * SHAPE)
    const dimensionsAt = take(dimensions.length * WORD)
    const constantsAt = take(constants.length * CONSTANT)
    const kernelsAt = take(kinds.length * KERNEL)
    const kindsAt = take(kinds.flat().length)
    const portsAt = take(most(({ inputs, outputs }) => inputs.length + outputs.length) * WORD)
    const buffersAt = take(buffers.byteLength)
    const callsAt = take(calls.byteLength)
    const scratchAt = take(most((head) => head.buffers) * 4 * WORD + names.length * WORD)

    const checks = checksWith(end)
    const { buffer } = checks.memory
    const words = new Uint32Array(buffer)
    words.set(buffers, buffersAt / WORD)
    words.set(calls, callsAt / WORD)
    words.set(dimensions, dimensionsAt / WORD)
    let next = dimensionsAt
    shapes.forEach(({ length }, i) => {
      words.set([length, next], (shapesAt + i * SHAPE) / WORD)
      next += length * WORD
    })
    const bytes = new Uint8Array(buffer)
    next = kindsAt
    kinds.forEach((list, i) => {
      words.set([list?.length ?? UNKNOWN, next], (kernelsAt + i * KERNEL) / WORD)
      bytes.set(list ?? [], next)
      next += list?.length ?? 0
    })
    checks.setTables(
      BLOCK,
      BLOCK_BYTES,
      shapesAt,
      shapes.length,
      constantsAt,
      tables.constants.length,
      kernelsAt,
      kinds.length,
      names.length,
    )
    checks.setRows(buffersAt, buffersAt + buffers.byteLength, callsAt, callsAt + calls.byteLength, scratchAt)
    this.checks = checks
    this.words = words
    this.floats = new Float64Array(buffer)
    this.names = names
    this.constants = constants
    this.constantsAt = constantsAt
    this.portsAt = portsAt
    constants.forEach((value, i) => {
      if (typeof value === 'object') this.setConstant(i, PLACE, ...value)
      else if (typeof value === 'number') {
        this.setConstant(i, Number.isInteger(value) ? INTEGER : Number.isFinite(value) ? FRACTION : OF_NO_USE, value)
      }
    })
  }

  /** Of the next plan. */
  isSound({ symbols, inputs, outputs, buffers, calls }: PlanHead): boolean {
    this.constants.forEach((value, i) => {
      if (typeof value !== 'string') return
      const size = sizeAt(value, symbols)
      this.setConstant(i, Number.isSafeInteger(size) ? SIZE : OF_NO_USE, size)
    })
    const ports = [...inputs, ...outputs].map((name) => this.names.indexOf(name))
    this.words.set(ports, this.portsAt / WORD)
    return this.checks.isSound(buffers, calls, this.portsAt, inputs.length, outputs.length) !== 0
  }

  private setConstant(i: number, what: number, value: number, plus = 0): void {
    const at = this.constantsAt + i * CONSTANT
    this.floats[at / 8] = value
    this.floats[at / 8 + 1] = plus
    this.words[at / WORD + 4] = what
  }
}
