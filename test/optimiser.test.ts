/**
 * What cases of single ops do not show of the optimiser: a step that is not finite changes nothing, rows that were
 * never reached may be skipped, and the entries that the host computes.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Builder } from '../src/graph/builder.ts'
import type { Graph } from '../src/graph/graph.ts'
import { ADAM_CONTROL, adamControl, adamw, CONTROL_SIZE } from '../src/ops/adamw.ts'
import { enqueue } from '../src/ops/enqueue.ts'
import { globalNorm } from '../src/ops/global_norm.ts'
import { interpret } from '../src/plan/interpret.ts'
import { lower } from '../src/plan/lower.ts'
import { Executor } from '../src/runtime/execute.ts'
import { builtKernels } from './support/kernels.ts'

const modules = await builtKernels()
const [V, C] = [6, 5]

type Feeds = Record<string, ArrayLike<number>>

/** Named states and outputs after a run: by the references, then by every module. */
function results(graph: Graph, feeds: Feeds, names: readonly string[]): Record<string, number[]>[] {
  const pick = (get: (name: string) => ArrayLike<number>) =>
    Object.fromEntries(names.map((name) => [name, Array.from(get(name))]))
  const byReference = interpret(graph, feeds)
  const byKernels = modules.map((kernels) => {
    const plan = lower(graph, { symbols: {}, deterministic: true })
    const executor = new Executor(kernels, [plan])
    const place = (name: string) => (executor.has(name) ? executor.tensor(name) : executor.io(plan.name, name))
    for (const [name, data] of Object.entries(feeds)) place(name).set(data)
    executor.run(plan.name)
    return pick(place)
  })
  return [pick((name) => (byReference[`state.${name}`] ?? byReference[name]).data), ...byKernels]
}

/** One clipped step on a table p [V,C]. */
function stepGraph(sparse: boolean): Graph {
  const b = new Builder('step')
  const g = b.input('g', [V, C])
  const touched = sparse ? b.state('touched', [V], 'u8') : null
  const norm = globalNorm(b, [g], [touched], 1)
  b.output('norm', norm)
  const [m, v] = ['m', 'v'].map((name) => b.state(name, [V, C]))
  const group = { decay: false, rate: 1 }
  adamw(b, b.parameter('p', [V, C]), g, m, v, b.input('control', [CONTROL_SIZE]), norm, touched, group)
  return b.graph
}

/** Rows 1 and 4 were reached. */
const reached = (i: number) => [1, 4].includes(Math.floor(i / C))
const table = (f: (i: number) => number) => Array.from({ length: V * C }, (_, i) => Math.fround(f(i)))
const feeds: Feeds = {
  p: table((i) => i / 7 - 2),
  g: table((i) => (reached(i) ? i / 5 - 2.5 : 0)),
  m: table((i) => (reached(i) ? 0.1 : 0)),
  v: table((i) => (reached(i) ? 0.3 : 0)),
  control: adamControl({ step: 3, rate: 0.1, decay: 0.5 }),
}

test('a gradient that is not finite gives the factor NaN and changes nothing', () => {
  for (const bad of [NaN, Infinity]) {
    const spoilt = { ...feeds, g: table((i) => (i === 17 ? bad : 1)) }
    for (const { p, m, v, norm } of results(stepGraph(false), spoilt, ['p', 'm', 'v', 'norm'])) {
      assert.equal([p, m, v], [feeds.p, feeds.m, feeds.v])
      assert.ok(Number.isNaN(norm[1]), `factor ${norm[1]} must be NaN`)
    }
  }
})

test('skipping rows without gradient and moments is the plain update, whatever their memory holds', () => {
  const plain = results(stepGraph(false), feeds, ['p', 'm', 'v', 'norm'])
  const flags = Array.from({ length: V }, (_, row) => Number(reached(row * C)))
  const garbage = { ...feeds, touched: flags, g: table((i) => (reached(i) ? feeds.g[i] : NaN)) }
  assert.equal(results(stepGraph(true), garbage, ['p', 'm', 'v', 'norm']), plain)
})

test('control holds the corrections in the order of ADAM_CONTROL', () => {
  const entry = (step: number, name: (typeof ADAM_CONTROL)[number]) =>
    adamControl({ step, rate: 0.1, decay: 0.5 })[ADAM_CONTROL.indexOf(name)]
  assert.is(entry(1, 'lr'), Math.fround(0.1))
  assert.is(entry(1, 'decay'), 0.5)
  assert.is(entry(1, 'rest2'), Math.fround(0.001))
  assert.is(entry(1, 'correction1'), 10)
  assert.is(entry(2, 'correction2'), Math.fround(1 / 0.001999))
  assert.throws(() => adamControl({ step: 0, rate: 0.1, decay: 0 }), /adamControl: step must be/)
})

test('a batch with a feature that is not finite does not enter the queue', () => {
  const b = new Builder('push')
  const queue = {
    text: b.state('text', [4, C]),
    image: b.state('image', [4, C]),
    ids: b.state('ids', [4], 'i32'),
    next: b.state('next', [1], 'i32'),
    samples: null,
    filled: b.state('filled', [1], 'i32'),
  }
  enqueue(b, queue, b.input('t', [2, C]), b.input('i', [2, C]), b.input('new', [2], 'i32'), null)
  const states = { text: Array(4 * C).fill(1), image: Array(4 * C).fill(2), ids: [5, 6, 7, 8], next: [3], filled: [3] }
  const batch = { t: Array(2 * C).fill(3), i: Array(2 * C).fill(4), new: [9, 10] }
  for (const after of results(b.graph, { ...states, ...batch }, Object.keys(states))) {
    assert.equal([after.ids, after.next, after.filled], [[10, 6, 7, 9], [1], [4]])
  }
  for (const bad of [NaN, Infinity, -Infinity]) {
    const i = batch.i.with(7, bad)
    for (const after of results(b.graph, { ...states, ...batch, i }, Object.keys(states))) assert.equal(after, states)
  }
})

test.run()
