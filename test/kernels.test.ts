/**
 * Bounds of every exported kernel on every instruction set: all cases of all ops and of the kernels that no op calls,
 * forward and gradient, each buffer between canaries, then each in turn flush with the end of memory. Results must
 * not depend on the place.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { KernelEntry, Manifest, Plan, PlanBuffer } from '../src/abi.ts'
import { OPS } from '../src/ops/index.ts'
import { lower } from '../src/plan/lower.ts'
import { Kernels } from '../src/runtime/kernels.ts'
import { runGuarded } from './support/guarded.ts'
import { builtKernels } from './support/kernels.ts'
import { opCase, stored } from './support/op-case.ts'

interface BoundsCase {
  plan: Plan
  feeds: Map<string, ArrayLike<number>>
}

/** Kernels that need no test of bounds here, each with the reason. */
const EXEMPT: Record<string, string> = {}

function casesOfOps(): BoundsCase[] {
  const found: BoundsCase[] = []
  for (const op of OPS) {
    for (const c of op.cases) {
      for (const gradient of [false, true]) {
        const one = opCase(op, c, gradient)
        if (!one || one.results.length === 0) continue
        const named = one.graph.values.filter(({ name }) => name !== undefined && name in one.feeds)
        const feeds = new Map(named.map((value) => [value.name!, stored(value, one.feeds[value.name!])]))
        found.push({ plan: lower(one.graph, { symbols: {}, deterministic: true }), feeds })
      }
    }
  }
  return found
}

/** A plan of one call: for kernels that stand outside of ops. */
function oneCall(name: string, buffers: [name: string, length: number][], call: Plan['calls'][number]): BoundsCase {
  const io = ([name, length]: [string, number]): PlanBuffer => {
    return { name, segment: 'io', dtype: 'f32', shape: [length], bytes: 4 * length, offset: 0 }
  }
  const outputs = [buffers.at(-1)![0]]
  const plan: Plan = {
    name,
    deterministic: true,
    symbols: {},
    buffers: buffers.map(io),
    calls: [call],
    inputs: [],
    outputs,
  }
  return { plan, feeds: new Map() }
}

const cases = [
  ...casesOfOps(),
  oneCall('fill', [['y', 7]], { k: 'fill__f32', a: [{ at: 0 }, 0, 1.5, 7] }),
  oneCall('fill_from', [['y', 9]], { k: 'fill__f32', a: [{ at: 0 }, 4, 1.5, 5] }),
]

/** Runs a case in every placement; returns the kernels that ran. */
function checkBounds({ plan, feeds }: BoundsCase, kernels: Kernels): string[] {
  const first = runGuarded(kernels, plan, feeds, null)
  plan.buffers.forEach((buffer, i) => {
    if (buffer.bytes === 0) return
    const { results } = runGuarded(kernels, plan, feeds, i)
    for (const name of plan.outputs) {
      const message = `${plan.name}: ${name} must not change with buffer ${buffer.name ?? `%${i}`} at the end of memory`
      assert.equal(results.get(name), first.results.get(name), message)
    }
  })
  return [...first.used].map((entry) => entry.name)
}

for (const kernels of await builtKernels()) {
  const { isa, kernels: entries } = kernels.manifest
  const used = new Set<string>()
  for (const one of cases) {
    // A deterministic plan and one that takes the fastest variant reach every kernel of a family.
    for (const deterministic of [true, false]) {
      const plan = { ...one.plan, deterministic }
      const variants = ({ k }: Plan['calls'][number]) => entries.filter(({ family }) => family === k).length
      if (!deterministic && !plan.calls.some((call) => variants(call) > 1)) continue
      test(`${isa} ${plan.name}${deterministic ? '' : ' fastest'}: stays within its buffers`, () => {
        for (const name of checkBounds({ ...one, plan }, kernels)) used.add(name)
      })
    }
  }
  test(`${isa}: every kernel ran`, () => {
    const missing = entries.filter(({ name, family }) => !used.has(name) && !(family in EXEMPT))
    assert.equal(
      missing.map(({ name }) => name),
      [],
    )
    const unknown = Object.keys(EXEMPT).filter((family) => !entries.some((entry) => entry.family === family))
    assert.equal(unknown, [], 'exempt kernels must exist')
  })
}
/** A module whose one kernel writes an f32 where its argument says. */
function writer(): Kernels {
  const memory = new WebAssembly.Memory({ initial: 1 })
  const write__f32 = (at: number, i: number) => new DataView(memory.buffer).setFloat32(at + 4 * i, 1)
  const entry: KernelEntry = { name: 'write__f32', family: 'write__f32', params: [], deterministic: true }
  const manifest: Manifest = { isa: 'scalar', heapBase: 0, sha256: '', kernels: [entry], answers: [] }
  return new Kernels(manifest, { exports: { memory, write__f32 } } as unknown as WebAssembly.Instance)
}

test('guards notice a write before, behind and past the end of memory', () => {
  const at = (i: number) => oneCall('write', [['y', 3]], { k: 'write__f32', a: [{ at: 0 }, i] }).plan
  for (const last of [null, 0]) runGuarded(writer(), at(2), new Map(), last)
  assert.throws(() => runGuarded(writer(), at(-1), new Map(), null), /write__f32 must not write below y/)
  assert.throws(() => runGuarded(writer(), at(3), new Map(), null), /write__f32 must not write behind y/)
  assert.throws(() => runGuarded(writer(), at(3), new Map(), 0), /must not trap with y at the end of memory/)
})

for (const [family, reason] of Object.entries(EXEMPT)) console.log(`exempt ${family}: ${reason}`)

test.run()
