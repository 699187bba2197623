/**
 * verify() accepts what lower() makes of every op, and names the fault of plans broken on purpose, one way each.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Plan } from '../src/abi.ts'
import { Builder } from '../src/graph/builder.ts'
import { add } from '../src/ops/add.ts'
import { bitLinear } from '../src/ops/bitlinear.ts'
import { gelu } from '../src/ops/gelu.ts'
import { OPS } from '../src/ops/index.ts'
import { lower } from '../src/plan/lower.ts'
import { verify } from '../src/runtime/verify.ts'
import { builtModule } from './support/kernels.ts'
import { opCase } from './support/op-case.ts'

const { manifest } = await builtModule('scalar')

/** gelu(W (x + x)) + ...: io, state, scratch of several sizes and a symbol. */
function sound(): Plan {
  const b = new Builder('sound')
  const x = b.input('x', ['B', 48])
  const y = gelu(b, bitLinear(b, add(b, x, x), b.parameter('W', [40, 48])))
  b.output('y', add(b, y, gelu(b, y)))
  return lower(b.graph, { symbols: { B: 5 }, deterministic: true })
}

const bufferOf = (plan: Plan, name: string) => plan.buffers.find((buffer) => buffer.name === name)!
/** Scratch that lives between two calls. */
const scratchOf = (plan: Plan) =>
  plan.buffers.findIndex((buffer) => buffer.segment === 'scratch' && buffer.dtype === 'f32')

test('plans of every case of every op are sound', () => {
  for (const op of OPS) {
    for (const c of op.cases) {
      for (const gradient of [false, true]) {
        const one = opCase(op, c, gradient)
        if (one && one.results.length > 0) verify(lower(one.graph, { symbols: {}, deterministic: true }), manifest)
      }
    }
  }
})

test('the parts of an inference plan are sound', () => {
  const b = new Builder('parts')
  b.output('y', bitLinear(b, b.input('x', ['B', 48]), b.parameter('W', [40, 48])))
  for (const part of ['prepare', 'run'] as const) {
    verify(lower(b.graph, { symbols: { B: 5 }, deterministic: true, part }), manifest)
  }
})

/** What is broken, how, and what the message must say. */
const BREAKS: [title: string, change: (plan: Plan) => void, message: RegExp][] = [
  ['overlap', (plan) => void plan.buffers.forEach((buffer) => (buffer.offset = 0)), /must not overlap/],
  ['misaligned offset', (plan) => void (bufferOf(plan, 'y').offset += 4), /multiple of 64/],
  ['negative offset', (plan) => void (bufferOf(plan, 'y').offset = -64), /offset must be a whole number/],
  ['offset beyond the arena', (plan) => void (bufferOf(plan, 'y').offset = 1 << 30), /must end within the arena/],
  ['too few bytes', (plan) => void (bufferOf(plan, 'W').bytes -= 4), /buffer W: must have 7680 bytes/],
  ['fractional bytes', (plan) => void (bufferOf(plan, 'W').bytes += 0.5), /bytes must be a whole number/],
  ['nameless state', (plan) => void delete bufferOf(plan, 'W').name, /must have a name/],
  ['a name twice', (plan) => void (bufferOf(plan, 'y').name = 'x'), /one buffer, got "x"/],
  ['unknown input', (plan) => void plan.inputs.push('z'), /every input must be an io buffer, got "z"/],
  ['unknown output', (plan) => void plan.outputs.push('z'), /every output must be a named buffer, got "z"/],
  ['unknown symbol', (plan) => void (plan.calls[0].a[3] = '48*T'), /symbol T/],
  ['symbol without a maximum', (plan) => void (plan.symbols.B = 0), /maximum of B/],
  ['unknown buffer', (plan) => void (plan.calls[0].a[0] = { at: plan.buffers.length }), /must be one of/],
  ['not a number', (plan) => void (plan.calls[0].a[3] = NaN), /must be a finite number/],
  [
    'untouched buffer',
    (plan) => void plan.buffers.push({ ...plan.buffers[scratchOf(plan)], offset: 1 << 20 }),
    /must be touched/,
  ],
  ['unknown kernel', (plan) => void (plan.calls[0].k = 'add__f16'), /add__f16: must be a kernel/],
  ['too many arguments', (plan) => void plan.calls[0].a.push(1), /must have 4 arguments, got 5/],
  ['fractional size', (plan) => void (plan.calls[0].a[3] = 1.5), /must be a whole number, got 1.5/],
  ['number for an address', (plan) => void (plan.calls[0].a[0] = 64), /must be a buffer or 0, got 64/],
  ['address for a number', (plan) => void (plan.calls[0].a[3] = { at: 0 }), /must be a number: it is i32/],
  [
    'read before written',
    (plan) => void (plan.calls[0].a[0] = { at: scratchOf(plan) }),
    /before a call has written it/,
  ],
]

for (const [title, change, message] of BREAKS) {
  test(`refuses: ${title}`, () => {
    const plan = sound()
    verify(plan, manifest, 1 << 24)
    change(plan)
    assert.throws(() => verify(plan, manifest, 1 << 24), message)
  })
}

test.run()
