/**
 * Plans of a file are checked on their rows in WebAssembly: the verdict must be that of verify(), for the shipped model
 * and for thousands of others, each changed in one place.
 */
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Stream, USE } from '../src/base/rng.ts'
import { DEFAULT_MODEL } from '../src/index.ts'
import { plansOf, readPlanRows, type PlanRows } from '../src/io/plan-tables.ts'
import { readSafetensors } from '../src/io/safetensors.ts'
import { areSound } from '../src/runtime/sound.ts'
import { verify } from '../src/runtime/verify.ts'
import { builtModule } from './support/kernels.ts'

const kernels = await builtModule('scalar')
const { tensors } = readSafetensors(new Uint8Array(readFileSync(DEFAULT_MODEL)), { strict: true })
const shipped = readPlanRows(tensors)

/** What verify() says of the plans: nothing, or the first fault. */
function faultOf(rows: PlanRows): string | undefined {
  try {
    for (const plan of plansOf(rows)) verify(plan, kernels.manifest)
    return undefined
  } catch (error) {
    assert.ok(error instanceof RangeError, (error as Error).stack)
    return error.message
  }
}

const stream = new Stream(1, 0, 0, USE.init)
const below = (n: number) => Math.floor(stream.next() * n)
const pick = <T>(list: ArrayLike<T>) => list[below(list.length)]

/** Columns of a row of a buffer. */
const [SEGMENT, DTYPE, SHAPE, BYTES, OFFSET, NAME] = [0, 1, 2, 3, 4, 5]
const COLUMNS = 6

/** The place of one of `n` rows, the one behind them, or one that lies behind all memory. */
const placeAmong = (n: number) => pick([below(n), below(n), n, 2 ** 28])
const setColumn = (column: number, value: (old: number, rows: PlanRows) => number) => (rows: PlanRows) => {
  const at = below(rows.buffers.length / COLUMNS) * COLUMNS + column
  rows.buffers[at] = value(rows.buffers[at], rows)
}
/** Where the words of a call begin. */
const someCall = ({ calls }: PlanRows) => {
  const starts: number[] = []
  for (let i = 0; i < calls.length; i += 2 + calls[i + 1]) starts.push(i)
  return pick(starts)
}
const setArgument = (value: (old: number, rows: PlanRows) => number) => (rows: PlanRows) => {
  const call = someCall(rows)
  const at = call + 2 + below(rows.calls[call + 1])
  rows.calls[at] = value(rows.calls[at], rows)
}
/** A new constant in the place of an address. */
const placeOf = (value: (at: number) => [at: number, plus: number]) => (rows: PlanRows) => {
  const { constants } = rows.tables
  setArgument((old) => {
    if (old % 2) return old
    constants.push(value(old / 2))
    return 2 * constants.length - 1
  })(rows)
}
/** A buffer more for the last plan, behind all others. */
const bufferOf = (row: readonly number[]) => (rows: PlanRows) => {
  rows.buffers = Uint32Array.of(...rows.buffers, ...row)
  rows.heads.at(-1)!.buffers++
}
const [IO, SCRATCH] = [2, 3]
const constantOf = (value: unknown) => (rows: PlanRows) => {
  const { constants } = rows.tables
  constants[below(constants.length)] = value as never
}

/** Changes, some of which leave plans sound. */
const CHANGES: Record<string, (rows: PlanRows) => void> = {
  segment: setColumn(SEGMENT, () => below(5)),
  dtype: setColumn(DTYPE, () => below(7)),
  shape: setColumn(SHAPE, (_, { tables }) => placeAmong(tables.shapes.length)),
  'more bytes': setColumn(BYTES, (old) => old + pick([1, 64, 4096, 2 ** 31])),
  'less bytes': setColumn(BYTES, (old) => old - pick([1, 64])),
  'no bytes': setColumn(BYTES, () => 0),
  offset: setColumn(OFFSET, (old) => old + pick([-64, -4, 4, 64, 65536, 2 ** 31, 2 ** 32 - 64])),
  'offset of half a line': setColumn(OFFSET, (old) => 2 ** 30 + old + pick([0, 32])),
  'another offset': setColumn(OFFSET, (_, { buffers }) => buffers[below(buffers.length / COLUMNS) * COLUMNS + OFFSET]),
  name: setColumn(NAME, (_, { tables }) => placeAmong(tables.names.length + 1)),
  'an address': setArgument(() => 2 * below(500)),
  'a constant': setArgument((_, { tables }) => 2 * below(tables.constants.length + 1) + 1),
  'address or constant': setArgument((old) => old ^ 1),
  'any argument': setArgument(() => below(2 ** 32)),
  kernel: (rows) => void (rows.calls[someCall(rows)] = placeAmong(rows.tables.kernels.length)),
  'arguments of a call': (rows) => void (rows.calls[someCall(rows) + 1] += pick([-1, 1, 2 ** 28, 2 ** 31])),
  'a call twice': (rows) => {
    const call = someCall(rows)
    const next = call + 2 + rows.calls[call + 1]
    const length = 2 + rows.calls[next + 1]
    if (length === next - call) rows.calls.copyWithin(next, call, next)
  },
  'a family': ({ tables }) => void (tables.kernels[below(tables.kernels.length)] = pick(['add__f16', 'add__f32'])),
  'a size': ({ tables }) => {
    const shape = pick(tables.shapes) as unknown[]
    shape[below(shape.length)] = pick([
      0,
      1,
      7,
      2 ** 40,
      'B',
      'L*N',
      'Z',
      'B*B*B*B*B*B*B*B*B*B*B*B*B*B*B*B*B*B*B',
      'toString',
    ])
  },
  'a rank': ({ tables }) => void (pick(tables.shapes) as unknown[]).pop(),
  fraction: constantOf(0.5),
  'negative number': constantOf(-3),
  infinity: constantOf(1e999),
  symbols: constantOf('B*T'),
  'unknown symbol': constantOf('Q'),
  place: placeOf((at) => [at, pick([0, 4, 6, 64, 2 ** 20, 2 ** 32, 2 ** 40])]),
  'place of another buffer': placeOf((at) => [at + below(300), pick([0, 4])]),
  'place of no buffer': placeOf(() => [pick([2 ** 32, 2 ** 40]), 0]),
  'place for a number': constantOf([0, 0]),
  'largest symbol': ({ heads }) => {
    const { symbols } = pick(heads)
    symbols[pick(Object.keys(symbols))] = pick([1, 1000, 2 ** 30])
  },
  'a symbol missing': ({ heads }) => {
    const { symbols } = pick(heads)
    delete symbols[pick(Object.keys(symbols))]
  },
  'input missing': ({ heads }) => void pick(heads).inputs.pop(),
  'output missing': ({ heads }) => void pick(heads).outputs.pop(),
  input: ({ heads, tables }) => void pick(heads).inputs.push(pick(tables.names)),
  output: ({ heads, tables }) => void pick(heads).outputs.push(pick([...tables.names.slice(-9), 'nothing'])),
  'untouched scratch': bufferOf([SCRATCH, 0, 0, 2 ** 31, 2 ** 31, 0]),
  'untouched input': (rows) => bufferOf([IO, 0, 0, 2 ** 31, 2 ** 31, rows.tables.names.push('more')])(rows),
  'untouched output': (rows) => {
    bufferOf([IO, 0, 0, 2 ** 31, 2 ** 31, rows.tables.names.push('more')])(rows)
    rows.heads.at(-1)!.outputs.push('more')
  },
  'fewer calls': ({ heads }) => void heads.at(-1)!.calls--,
  'more buffers': ({ heads }) => void heads.at(-1)!.buffers++,
}

/** The rows of the shipped model with one change. */
function changed(change: (rows: PlanRows) => void): PlanRows {
  const { tables, heads } = structuredClone({ tables: shipped.tables, heads: shipped.heads })
  const rows = { tables, heads, buffers: shipped.buffers.slice(), calls: shipped.calls.slice() }
  change(rows)
  return rows
}

test('the shipped plans are sound', () => {
  assert.is(faultOf(shipped), undefined)
  assert.ok(areSound(shipped, kernels))
})

const faults = new Set<string>()
let sound = 0

for (const [title, change] of Object.entries(CHANGES)) {
  test(`the verdict is that of verify(): ${title}`, () => {
    for (let i = 0; i < 60; i++) {
      const rows = changed(change)
      const fault = faultOf(rows)
      assert.is(areSound(rows, kernels), fault === undefined, fault)
      if (fault === undefined) sound++
      else faults.add(fault.replace(/^.*?: |, got .*$|%?\d+/g, ''))
    }
  })
}

test('the changes are of all kinds', () => {
  assert.ok(sound > 200, `${sound} were sound`)
  assert.ok(faults.size > 30, `${faults.size} kinds of fault`)
})

test.run()
