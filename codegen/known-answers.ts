/**
 * Computes the known answers of a manifest: calls of every kernel family, on memory filled by a seeded generator, and
 * the digest of what the scalar module makes of them. They follow from the test cases of the ops, so that a new op
 * brings its own; kernels that no op calls have a row here. A family without an answer fails the build.
 */
import type { Fill, KnownAnswer } from '../src/abi.ts'
import { roundUp } from '../src/abi.ts'
import { viewBytes, type DType } from '../src/base/dtype.ts'
import { requireThat } from '../src/base/errors.ts'
import type { Case, CaseInput, Op, Value } from '../src/graph/graph.ts'
import { OPS } from '../src/ops/index.ts'
import { bytesOf, lower } from '../src/plan/lower.ts'
import { digestOf } from '../src/runtime/known-answers.ts'
import type { Kernels } from '../src/runtime/kernels.ts'
import { opCase } from '../test/support/op-case.ts'

const ALIGN = 64
/** Elements read and written. Larger cases are left to the tests: all answers together must not delay a start. */
const MOST_ELEMENTS = 3000

type Draft = Omit<KnownAnswer, 'digest'>

/** An argument of a row: a number, or memory that is read, written, or used as scratch (bytes). */
type Argument =
  | number
  | { read: [DType, count: number, low: number, high: number] }
  | { write: [DType, count: number] }
  | { scratch: number }

const f32 = (count: number): Argument => ({ read: ['f32', count, -2, 2] })
const packed = (bytes: number): Argument => ({ read: ['t2', bytes, 0, 2] })
const codes = (bytes: number): Argument => ({ read: ['i8', bytes, -127, 127] })
const result = (count: number): Argument => ({ write: ['f32', count] })

/** Quantised rows for the product: the sums that it reads must be those of the codes. */
const ROWS = { codes: { scratch: 10 * 272 }, absmax: { scratch: 10 * 4 }, sums: { scratch: 10 * 4 } }

/** What is called before the kernel of a row; memory that both name is the same. */
const BEFORE: Record<string, [family: string, args: Argument[]]> = {
  matmul_nt__i8_t2: ['quantize_rows__f32', [f32(10 * 264), ROWS.codes, ROWS.absmax, ROWS.sums, 10, 264]],
}

/** Kernels that no case of an op reaches. Products: K = 264 is two widenings and 8 inputs, N = 27 a tile and a tail. */
const BY_HAND: Record<string, Argument[]> = {
  dequantize_rows__i8: [codes(3 * 48), f32(3), result(3 * 33), 3, 33],
  embedding__i8: [codes(5 * 9), f32(5), { read: ['i32', 7, 0, 4] }, result(7 * 9), 7, 9],
  fill__f32: [result(33), 3, 0.5, 29],
  matmul_nn__t2: [f32(10 * 27), packed(4 * 3 * 16), f32(1), result(10 * 19), { scratch: 24 * 27 * 4 }, 10, 19, 27],
  matmul_nt__f32_i8: [
    f32(7 * 19),
    codes(27 * 19),
    f32(27),
    f32(27),
    result(7 * 27),
    { scratch: 32 * 19 * 4 },
    7,
    19,
    27,
  ],
  matmul_nt__i8_t2: [
    ROWS.codes,
    ROWS.absmax,
    ROWS.sums,
    packed(4 * 33 * 16),
    f32(1),
    f32(27),
    result(10 * 27),
    { scratch: 16 * 272 + 64 },
    10,
    264,
    27,
  ],
  normalize_pixels__u8: [{ read: ['u8', 3 * 25, 0, 255] }, result(3 * 25), 5],
  resize_bilinear__u8: [
    { read: ['u8', 3 * 7 * 9, 0, 255] },
    { write: ['u8', 3 * 25] },
    { scratch: 9 * 5 * 3 + 4 * 5 * 16 },
    7,
    9,
    5,
  ],
  unpack_ternary__t2: [packed(2 * 2 * 16), f32(1), result(9 * 9), 9, 9],
}

/** Range that stands for each kind of test data. */
function range({ dtype = 'f32', kind = 'normal', max = 1 }: CaseInput): [low: number, high: number] {
  if (kind === 'lengths') return [1, max]
  if (kind === 'ids') return [0, max - 1]
  if (kind === 'positive') return [0.1, 2]
  return dtype === 'i8' ? [-127, 127] : kind === 'codes' ? [-1, 1] : [-2, 2]
}

/** The calls of one case of an op, or of its gradient, at fixed places in memory; null where there are none. */
function draftOf(op: Op, c: Case, gradient: boolean): Draft | null {
  const made = opCase(op, c, gradient)
  if (!made || made.results.length === 0) return null
  const { graph, results } = made
  const plan = lower(graph, { symbols: {}, deterministic: true })
  if (plan.calls.length === 0) return null
  let next = ALIGN
  const homes = plan.buffers.map((buffer) => {
    if (buffer.segment !== 'state') return 0
    const at = next
    next += roundUp(buffer.bytes, ALIGN)
    return at
  })
  const arenaAt = next
  plan.buffers.forEach((buffer, i) => {
    if (buffer.segment === 'state') return
    homes[i] = arenaAt + buffer.offset
    next = Math.max(next, roundUp(homes[i] + buffer.bytes, ALIGN))
  })
  const homeOf = (name: string) => homes[plan.buffers.findIndex((buffer) => buffer.name === name)]

  const fills = graph.values.flatMap((value): Fill[] => {
    const at = value.name === undefined ? undefined : homeOf(value.name)
    if (at === undefined) return []
    const input = value.name === 'dy' ? { shape: [] } : c.inputs[Number(value.name!.slice(1))]!
    if (input.values) return [[at, value.dtype, input.values]]
    return [[at, value.dtype, elementsOf(value), ...range({ ...input, dtype: value.dtype })]]
  })
  const outputs = results.map(({ name, value }): Draft['outputs'][number] => {
    const source = value.node!.op.alias?.[value.output!]
    const home = source === undefined ? name : value.node!.inputs[source]!.name!
    return [homeOf(home), value.dtype, elementsOf(value)]
  })
  const calls = plan.calls.map(({ k, a }): Draft['calls'][number] => [
    k,
    ...a.map((arg) => (typeof arg === 'object' ? homes[arg.at] + (arg.plus ?? 0) : Number(arg))),
  ])
  return { bytes: next, fills, calls, outputs }
}

/** Elements as a buffer holds them: bytes of packed codes. */
function elementsOf(value: Value): number {
  const bytes = bytesOf(value, {})
  return bytes / viewBytes(value.dtype)
}

function draftByHand(family: string, args: Argument[]): Draft {
  const draft: Draft = { bytes: ALIGN, fills: [], calls: [], outputs: [] }
  const places = new Map<Argument, number>()
  const place = (arg: Argument) => {
    if (typeof arg === 'number') return arg
    const known = places.get(arg)
    if (known !== undefined) return known
    const at = draft.bytes
    places.set(arg, at)
    if ('read' in arg) draft.fills.push([at, ...arg.read])
    if ('write' in arg) draft.outputs.push([at, ...arg.write])
    const [dtype, count] = 'scratch' in arg ? (['u8', arg.scratch] as const) : 'read' in arg ? arg.read : arg.write
    draft.bytes += roundUp(count * viewBytes(dtype), ALIGN)
    return at
  }
  if (BEFORE[family]) draft.calls.push([BEFORE[family][0], ...BEFORE[family][1].map(place)])
  draft.calls.push([family, ...args.map(place)])
  return draft
}

function sizeOf({ fills, outputs }: Draft): number {
  const read = fills.reduce((sum, [, , count]) => sum + (typeof count === 'number' ? count : count.length), 0)
  return outputs.reduce((sum, [, , count]) => sum + count, read)
}

/** Drafts of an op: the largest first, since register tiles matter more than tails, then those that are too large. */
function draftsOf(op: Op): Draft[] {
  const drafts = op.cases
    .flatMap((c) => [draftOf(op, c, false), draftOf(op, c, true)])
    .filter((draft) => draft !== null)
  const [small, large] = [true, false].map((fits) => drafts.filter((draft) => sizeOf(draft) <= MOST_ELEMENTS === fits))
  return [...small.sort((a, b) => sizeOf(b) - sizeOf(a)), ...large.sort((a, b) => sizeOf(a) - sizeOf(b))]
}

/** Answers that call every family of the scalar module `kernels` at least once, and no other. */
export function knownAnswers(kernels: Kernels, ops: readonly Op[] = OPS): KnownAnswer[] {
  const missing = new Set(kernels.manifest.kernels.map(({ family }) => family))
  const families = new Set(missing)
  const byHand = Object.entries(BY_HAND).filter(([family]) => missing.has(family))
  const drafts = [...ops.flatMap(draftsOf), ...byHand.map(([family, args]) => draftByHand(family, args))]
  const callable = drafts.filter((draft) => draft.calls.every(([family]) => families.has(family)))
  const chosen = callable.filter((draft) => {
    const adds = draft.calls.some(([family]) => missing.has(family))
    for (const [family] of draft.calls) missing.delete(family)
    return adds
  })
  requireThat(
    missing.size === 0,
    'known answers',
    'every kernel family must be called by an op with cases or have a row',
    [...missing],
  )
  return chosen.map((draft) => {
    const answer = { ...draft, digest: 0 }
    try {
      return { ...answer, digest: digestOf(kernels, answer) }
    } catch (cause) {
      throw new Error(`known answer of ${draft.calls.map(([family]) => family)}: must run, got ${String(cause)}`, {
        cause,
      })
    }
  })
}
