/**
 * One test case of an op as graphs: forward, and gradient of sum(dy * output 0), with inputs drawn by kind. Tests of
 * ops, of kernel bounds and of known answers share it.
 */
import { Builder } from '../../src/graph/builder.ts'
import type { Case, CaseInput, Graph, Op, Value } from '../../src/graph/graph.ts'
import { requireThat } from '../../src/base/errors.ts'
import { packTernary } from '../../src/quant/ternary.ts'

export interface OpCase {
  title: string
  graph: Graph
  /** Values of inputs, parameters and states by name: x0, x1, ..., and dy. */
  feeds: Record<string, ArrayLike<number>>
  /** Computed results, by the name that the plan gives them. */
  results: { name: string; value: Value }[]
}

/** Numbers in [0, 1) from a seed: Lehmer's generator, enough for test data. */
export function uniform(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) % 2147483647 || 1
  return () => (state = (state * 48271) % 2147483647) / 2147483647
}

/** Twelve uniforms make a normal good enough for test data. */
function normal(next: () => number): number {
  let sum = -6
  for (let i = 0; i < 12; i++) sum += next()
  return sum
}

function draw(input: CaseInput, seed: number): number[] {
  const next = uniform(seed)
  const count = input.shape.reduce((product, dim) => product * dim, 1)
  const { kind = 'normal', max = 1, values } = input
  if (kind === 'values') requireThat(values?.length === count, 'case', `must have ${count} values`, values)
  const one: Record<typeof kind, (i: number) => number> = {
    normal: () => Math.fround(normal(next)),
    positive: () => Math.fround(0.1 + Math.abs(normal(next))),
    lengths: () => 1 + Math.floor(next() * max),
    ids: () => Math.floor(next() * max),
    codes: () => Math.floor(next() * 3) - 1,
    values: (i) => values![i],
  }
  return Array.from({ length: count }, (_, i) => one[kind](i))
}

const takesGradient = (input: CaseInput | null) => input && (input.dtype ?? 'f32') === 'f32' && input.gradient !== false

/** Values of a tensor as its plan buffer holds them: ternary codes packed. */
export function stored(value: Value, data: ArrayLike<number>): ArrayLike<number> {
  if (value.dtype !== 't2') return data
  const [N, K] = value.shape as number[]
  return packTernary(Int8Array.from(data), N, K)
}

/** The forward graph of a case, or with `gradient` the graph of its gradients (null where nothing takes one). */
export function opCase(op: Op, c: Case, gradient: boolean): OpCase | null {
  const wanted = c.inputs.map((input) => Boolean(takesGradient(input)))
  if (gradient && (!op.grad || !wanted.includes(true))) return null
  const b = new Builder(`${op.name}_${c.name}${gradient ? '_grad' : ''}`)
  const feeds: OpCase['feeds'] = {}
  const inputs = c.inputs.map((input, i) => {
    if (!input) return null
    feeds[`x${i}`] = draw(input, 1000 + i)
    const aliased = Object.values(op.alias ?? {}).includes(i)
    const role = aliased ? 'state' : 'input'
    return b[role](`x${i}`, input.shape, input.dtype ?? 'f32')
  })
  const outputs = b.apply(op, inputs, c.attributes)
  let values: { name: string; value: Value }[] = outputs.map((value, i) => ({ name: `y${i}`, value }))
  if (gradient) {
    // The gradient of a view is a view of dy, and a result may share memory with a state only.
    const dy = b[op.alias ? 'state' : 'input']('dy', outputs[0].shape)
    feeds.dy = draw({ shape: outputs[0].shape as number[] }, 999)
    const returned = op.grad!(b, outputs[0].node!, [dy, ...outputs.slice(1).map(() => undefined)], wanted)
    values = returned.flatMap((value, i) => (value && wanted[i] ? [{ name: `dx${i}`, value }] : []))
  }
  // A result that is an input, or equals another result, has nothing of its own to compute.
  const results = values.filter(
    ({ value }, i) => value.node && values.findIndex((other) => other.value === value) === i,
  )
  for (const { name, value } of results) b.output(name, value)
  return { title: `${op.name} ${c.name}${gradient ? ' gradient' : ''}`, graph: b.graph, feeds, results }
}
