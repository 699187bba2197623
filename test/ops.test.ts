/**
 * Every case of every op: kernels of all instruction sets against the float64 reference, the same bits on all of
 * them where they are deterministic, and the float64 gradient against central differences.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Builder } from '../src/graph/builder.ts'
import type { Op, Case } from '../src/graph/graph.ts'
import { slice } from '../src/ops/concat.ts'
import { OPS } from '../src/ops/index.ts'
import { interpret } from '../src/plan/interpret.ts'
import { lower } from '../src/plan/lower.ts'
import { unpackTernary } from '../src/quant/ternary.ts'
import { Executor } from '../src/runtime/execute.ts'
import type { Kernels } from '../src/runtime/kernels.ts'
import { opCase, stored, uniform, type OpCase } from './support/op-case.ts'
import { builtKernels } from './support/kernels.ts'

const modules = await builtKernels()

/** Results of a case by kernels, memory filled with NaN before the run. */
function runKernels(c: OpCase, kernels: Kernels, deterministic = true): Map<string, ArrayLike<number>> {
  const plan = lower(c.graph, { symbols: {}, deterministic })
  const executor = new Executor(kernels, [plan])
  const from = kernels.manifest.heapBase
  kernels.view('u8', from, kernels.memory.buffer.byteLength - from).fill(0xff)
  const place = (name: string) => (executor.has(name) ? executor.tensor(name) : executor.io(plan.name, name))
  for (const value of c.graph.values)
    if (value.name && plan.buffers.some((b) => b.name === value.name))
      place(value.name).set(stored(value, c.feeds[value.name]))
  executor.run(plan.name)
  return new Map<string, ArrayLike<number>>(
    c.results.map(({ name, value }) => {
      const source = value.node!.op.alias?.[value.output!]
      const data = place(source === undefined ? name : value.node!.inputs[source]!.name!)
      if (value.dtype !== 't2') return [name, data.slice()]
      const [N, K] = value.shape as number[]
      return [name, unpackTernary(data as Uint8Array, N, K)]
    }),
  )
}

/** Largest |got - want| over the rms of `want`. */
function difference(got: ArrayLike<number>, want: Float64Array): number {
  const rms = Math.sqrt(want.reduce((sum, w) => sum + w * w, 0) / want.length) || 1
  let worst = 0
  want.forEach((w, i) => {
    const d = Math.abs(got[i] - w)
    worst = Math.max(worst, Number.isNaN(d) ? Infinity : d)
  })
  return worst / rms
}

function checkKernels(c: OpCase, tolerance: number): void {
  const wants = interpret(c.graph, c.feeds)
  const results = modules.map((kernels) => runKernels(c, kernels))
  const { calls } = lower(c.graph, { symbols: {}, deterministic: false })
  const looser = modules
    .filter((kernels) => calls.some(({ k }) => !kernels.entry(k, false).deterministic))
    .map((kernels) => ({ isa: kernels.manifest.isa, result: runKernels(c, kernels, false) }))
  for (const { name } of c.results) {
    for (const { isa, result } of looser) {
      const error = difference(result.get(name)!, wants[name].data)
      assert.ok(error <= tolerance, `${name} on ${isa}, not deterministic: error ${error} must be <= ${tolerance}`)
    }
    modules.forEach(({ manifest }, i) => {
      const error = difference(results[i].get(name)!, wants[name].data)
      assert.ok(error <= tolerance, `${name} on ${manifest.isa}: error ${error} must be <= ${tolerance}`)
      assert.equal(
        results[i].get(name),
        results[0].get(name),
        `${name} on ${manifest.isa} must have the bits of scalar`,
      )
    })
  }
}

/** Central differences of sum(dy * y0) at a few elements of every input. */
function checkGradient(op: Op, c: Case, gradient: OpCase): void {
  const forward = opCase(op, c, false)!
  const got = interpret(gradient.graph, gradient.feeds)
  const loss = (feeds: OpCase['feeds']) => {
    const { data } = interpret(forward.graph, feeds).y0
    return data.reduce((sum, y, i) => sum + y * gradient.feeds.dy[i], 0)
  }
  const pick = uniform(7)
  for (const { name } of gradient.results) {
    const input = name.slice(1)
    const values = Float64Array.from(gradient.feeds[input])
    for (let trial = 0; trial < Math.min(8, values.length); trial++) {
      const i = Math.floor(pick() * values.length)
      const step = 1e-5 * Math.max(1, Math.abs(values[i]))
      const at = (x: number) => loss({ ...gradient.feeds, [input]: values.with(i, x) })
      const want = (at(values[i] + step) - at(values[i] - step)) / (2 * step)
      const error = Math.abs(got[name].data[i] - want)
      assert.ok(error <= 1e-5 + 1e-3 * Math.abs(want), `${name}[${i}]: ${got[name].data[i]} must be near ${want}`)
    }
  }
}

for (const op of OPS) {
  for (const c of op.cases) {
    const tolerance = c.tolerance ?? 1e-5
    test(`${op.name} ${c.name}: kernels`, () => checkKernels(opCase(op, c, false)!, tolerance))
    const gradient = opCase(op, c, true)
    if (!gradient || gradient.results.length === 0) continue
    test(`${op.name} ${c.name}: gradient kernels`, () => checkKernels(gradient, tolerance))
    test(`${op.name} ${c.name}: gradient`, () => checkGradient(op, c, gradient))
  }
}

test('a part that begins at a symbol is refused: the references could not tell where that is', () => {
  const b = new Builder('part')
  const x = b.input('x', ['B', 'N', 4])
  assert.throws(() => slice(b, x, 'N' as unknown as number, 2), 'slice: first must be a whole number from 0, got "N"')
})

test.run()
