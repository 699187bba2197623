/**
 * Standalone modules: without imports, to the bit what the executor gives for every plan, and run by binaryen's
 * wasm-shell, where no JavaScript takes part.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ISAS, type Plan, type PlanBuffer } from '../src/abi.ts'
import { Stream, USE } from '../src/base/rng.ts'
import { size, type Symbols } from '../src/base/shape.ts'
import { buildStandalone } from '../codegen/standalone/build.ts'
import { emitPlan } from '../codegen/emit-plan.ts'
import { Builder } from '../src/graph/builder.ts'
import { readModelFile } from '../src/io/model-file.ts'
import { KERNELS } from '../src/kernels.ts'
import { add } from '../src/ops/add.ts'
import { matmul } from '../src/ops/matmul.ts'
import { lower } from '../src/plan/lower.ts'
import { narrow } from '../src/plan/narrow.ts'
import { layOut } from '../src/runtime/layout.ts'
import { Session } from '../src/runtime/session.ts'
import { verify } from '../src/runtime/verify.ts'
import { EOS } from '../src/text/vocabulary.ts'
import { MICRO_CHANNELS, MICRO_IDS, microModel, picture } from './support/micro-model.ts'
import { builtModule } from './support/kernels.ts'
import { StandaloneHost } from './support/standalone.ts'
import { thrown } from './support/thrown.ts'

const ROOT = join(import.meta.dirname, '..')
const SHELL = join(ROOT, 'node_modules/binaryen/bin/wasm-shell')
const BATCH = 2

const bytes = await microModel()
const { plans } = readModelFile(bytes)
const session = await Session.open(bytes, { sources: KERNELS })
const { manifest } = await builtModule('scalar')
const modules = new Map<string, Uint8Array<ArrayBuffer>>()
for (const isa of ISAS) modules.set(isa, (await buildStandalone(bytes, { isa, batch: BATCH })).wasm)

/** y = (x + x) W, then 0.5 from its third number on: products of symbols, a fixed symbol, a place within a buffer. */
function sample(): Plan {
  const b = new Builder('sample')
  const x = b.input('x.0', ['B', 'T', 4])
  b.output('y', matmul(b, add(b, x, x), b.parameter('W', [3, 4])))
  const plan = lower(b.graph, { symbols: { B: 1, T: 5 }, deterministic: true, part: 'run' })
  const y = plan.buffers.findIndex(({ name }) => name === 'y')
  return { ...plan, calls: [...plan.calls, { k: 'fill__f32', a: [{ at: y, plus: 8 }, 0, 0.5, 'T'] }] }
}

test('a plan as AssemblyScript', () => {
  const plan = sample()
  const { source } = emitPlan(plan, layOut(1000, [plan]).addressesOf(plan), (family) => {
    return manifest.kernels.find((kernel) => kernel.family === family)!
  })
  const path = join(ROOT, 'test/golden/templates/emit_plan.txt')
  if (process.env.UPDATE_GOLDEN) writeFileSync(path, source)
  assert.is(source, readFileSync(path, 'utf8'), `${path} must be what emitPlan gives`)
})

test('names that are none in AssemblyScript, or become one, are refused', async () => {
  const emit = (change: (plan: Plan) => void) => () => {
    const plan = sample()
    change(plan)
    emitPlan(plan, [], () => manifest.kernels[0])
  }
  const message = 'RangeError: plan'
  assert.is(
    await thrown(emit((plan) => (plan.symbols['1'] = 2))),
    `${message} sample: names must begin with a letter, got "1"`,
  )
  assert.is(
    await thrown(emit(({ buffers }) => (buffers.find(({ name }) => name === 'y')!.name = 'x_0'))),
    `${message} sample: no two inputs or outputs may have one name when emitted, got "sample_x_0"`,
  )
})

test('plans for smaller symbols are sound, need less memory, and grow no larger than they were', async () => {
  for (const plan of plans) {
    const smaller = narrow(plan, { B: 1, T: 3 })
    verify(smaller, manifest)
    const [before, after] = [plan, smaller].map((one) => layOut(0, [one]).memoryUse)
    assert.ok(after.arena < before.arena / 4, plan.name)
    assert.is(after.weights, before.weights)
  }
  const message = await thrown(() => narrow(plans[0], { B: 9 }))
  assert.is(message, `RangeError: plan ${plans[0].name}: B must be a whole number from 1 to 8, got 9`)
})

/** Symbols to run a plan with: single items, and as many as the modules of this test take. */
function symbolsOf({ symbols }: Plan): Symbols[] {
  const { T = 1, L } = symbols
  const lengths = L === undefined ? [{ T: 1 }, { T }] : [1, L].map((past) => ({ L: past, N: past + 1 }))
  return lengths.flatMap((length) => [1, BATCH].map((B) => ({ B, ...length })))
}

/** Numbers for an input, as its kernels may be given them. */
function inputOf({ name, dtype, shape }: PlanBuffer, symbols: Symbols): number[] {
  const stream = new Stream(1, 0, 0, USE.init)
  const draw = (most: number) => Math.floor(stream.next() * most)
  const one: Record<string, () => number> = {
    ids: () => draw(MICRO_IDS.length + 2),
    lengths: () => 1 + draw(symbols.T),
    position: () => symbols.L ?? 0,
    visible: () => 1 + draw(4),
  }
  return Array.from({ length: size(shape, symbols) }, dtype === 'f32' ? () => stream.normal() : one[name!])
}

function bits(data: ArrayBufferView): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')
}

/** The inputs or outputs of a plan, as a module has them. */
function portsOf(plan: Plan, names: readonly string[], symbols: Symbols, host: StandaloneHost) {
  const buffers = plan.buffers.filter(({ name, segment }) => segment === 'io' && names.includes(name!))
  return buffers.map((buffer) => {
    const address = `${plan.name}_${buffer.name!.replaceAll('.', '_')}`
    return { buffer, at: host.constant(address), length: size(buffer.shape, symbols) }
  })
}

function argumentsOf(plan: Plan, symbols: Symbols): number[] {
  return Object.keys(plan.symbols).map((symbol) => symbols[symbol])
}

/** Bytes as a string of the text format. */
function quoted(data: ArrayBufferView): string {
  return `"${bits(data).replace(/../g, '\\$&')}"`
}

/** FNV-1a of 32-bit words, as in the text format below. */
function digestOf(data: ArrayBufferView): number {
  const words = new Int32Array(data.buffer, data.byteOffset, data.byteLength / 4)
  return words.reduce((hash, word) => Math.imul(hash ^ word, 0x01000193), 0x811c9dc5 | 0)
}

/** A second module on the memory of the first, by whose names the script calls: wasm-shell gives binary ones none. */
function readerText(): string {
  const functions = plans.map((plan) => {
    const parameters = Object.keys(plan.symbols).map(() => '(param i32)')
    return `(func (export "${plan.name}") (import "model" "${plan.name}") ${parameters.join(' ')})`
  })
  return `(module $reader
  ${functions.join('\n  ')}
  (import "model" "memory" (memory 1))
  (func (export "digest") (param $at i32) (param $words i32) (result i32)
    (local $hash i32)
    (local.set $hash (i32.const 0x811c9dc5))
    (loop $next
      (local.set $hash (i32.mul (i32.xor (local.get $hash) (i32.load (local.get $at))) (i32.const 0x01000193)))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $next (local.tee $words (i32.sub (local.get $words) (i32.const 1)))))
    (local.get $hash)))`
}

/**
 * Runs every plan for one item and compares its outputs with those of the executor: data segments of further modules
 * write the inputs. Addresses are the same in all modules, so they are read from the scalar one.
 */
function shellScript(wasm: Uint8Array): { script: string; commands: number } {
  const host = new StandaloneHost(modules.get('scalar')!)
  const lines = [`(module binary ${quoted(wasm)})`, '(register "model")', readerText()]
  const number = (value: number) => `(i32.const ${value})`
  for (const plan of plans) {
    const symbols = symbolsOf(plan)[0]
    const data = portsOf(plan, plan.inputs, symbols, host).map(({ buffer, at }) => {
      const input = session.executor.io(plan.name, buffer.name!, symbols)
      input.set(inputOf(buffer, symbols))
      return `(data ${number(at)} ${quoted(input)})`
    })
    lines.push(`(module $${plan.name} (import "model" "memory" (memory 1)) ${data.join(' ')})`)
    lines.push(`(invoke $reader "${plan.name}" ${argumentsOf(plan, symbols).map(number).join(' ')})`)
    session.executor.run(plan.name, symbols)
    for (const { buffer, at, length } of portsOf(plan, plan.outputs, symbols, host)) {
      const want = digestOf(session.executor.io(plan.name, buffer.name!, symbols))
      lines.push(`(assert_return (invoke $reader "digest" ${number(at)} ${number(length)}) ${number(want)})`)
    }
  }
  lines.push(`(assert_trap (invoke $reader "encodeImage" ${number(BATCH + 1)}) "unreachable")`)
  return { script: lines.join('\n'), commands: lines.filter((line) => /^\((assert|invoke)/.test(line)).length }
}

for (const [isa, wasm] of modules) {
  const works = WebAssembly.validate(wasm)

  test(`${isa}: no imports`, () => {
    if (works) assert.equal(WebAssembly.Module.imports(new WebAssembly.Module(wasm)), [])
  })

  test(`${isa}: every plan gives the bits of the executor`, () => {
    if (!works) return
    const host = new StandaloneHost(wasm)
    for (const plan of plans) {
      for (const symbols of symbolsOf(plan)) {
        for (const { buffer, at, length } of portsOf(plan, plan.inputs, symbols, host)) {
          const data = inputOf(buffer, symbols)
          session.executor.io(plan.name, buffer.name!, symbols).set(data)
          host.view(buffer.dtype, at, length).set(data)
        }
        session.executor.run(plan.name, symbols)
        host.call(plan.name, ...argumentsOf(plan, symbols))
        for (const { buffer, at, length } of portsOf(plan, plan.outputs, symbols, host)) {
          const want = session.executor.io(plan.name, buffer.name!, symbols)
          const where = `${plan.name} ${buffer.name} ${JSON.stringify(symbols)}`
          assert.is(bits(host.view(buffer.dtype, at, length)), bits(want), where)
        }
      }
    }
  })

  test(`${isa}: pictures, words and similarity as a session has them`, () => {
    if (!works) return
    const host = new StandaloneHost(wasm)
    const features = (name: string) => host.view('f32', host.constant(name), MICRO_CHANNELS).slice() as Float32Array
    const { data, width, height } = picture(3, 45, 70, 3)
    host.view('u8', host.call('workspace', data.length), data.length).set(data)
    host.call('writePixels', width, height, 0)
    host.call('encodeImage', 1)
    const image = features('encodeImage_image_features')
    assert.is(bits(image), bits(session.imageFeatures([{ data, width, height, channels: 3 }]).data))

    const ids = [EOS, MICRO_IDS[3], MICRO_IDS[3] + 1, MICRO_IDS[39], EOS]
    const rows = ids.map((id) => host.call('vocabularyRow', id))
    assert.equal(rows, [40, 3, 41, 39, 40])
    host.view('i32', host.constant('encodeText_ids'), ids.length).set(rows)
    host.view('i32', host.constant('encodeText_lengths'), 1).set([ids.length])
    host.call('encodeText', 1, ids.length)
    const text = features('encodeText_text_features')
    assert.is(bits(text), bits(session.textFeatures([ids]).data))

    const at = host.call('workspace', 8 * MICRO_CHANNELS)
    host.view('f32', at, MICRO_CHANNELS).set(image)
    host.view('f32', at + 4 * MICRO_CHANNELS, MICRO_CHANNELS).set(text)
    const want = image.reduce((sum, value, c) => sum + value * text[c], 0)
    assert.is(host.call('similarity', at, at + 4 * MICRO_CHANNELS), want)
  })

  test(`${isa}: wasm-shell computes the same`, () => {
    const { script, commands } = shellScript(wasm)
    const folder = mkdtempSync(join(tmpdir(), 'bitgen-shell-'))
    const path = join(folder, 'standalone.wast')
    writeFileSync(path, script)
    const { status, stdout, stderr } = spawnSync(process.execPath, [SHELL, path], { encoding: 'utf8' })
    rmSync(folder, { recursive: true })
    assert.is(status, 0, `${stdout}${stderr}`)
    assert.is(`${stdout}${stderr}`.match(/CHECKING/g)?.length, commands)
  })

  test(`${isa}: what a plan is not made for traps`, () => {
    if (!works) return
    const host = new StandaloneHost(wasm)
    for (const [name, ...args] of [
      ['encodeImage', 0],
      ['encodeImage', BATCH + 1],
      ['encodeText', 1, 13],
      ['writePixels', 0, 1, 0],
      ['writePixels', 1 << 16, 1 << 16, 0],
      ['writePixels', 1, 1, BATCH],
    ] as [string, ...number[]][]) {
      assert.throws(() => host.call(name, ...args), 'unreachable', `${name} ${args}`)
    }
  })
}

test('bad arguments of the command give one line', () => {
  const run = (...args: string[]) => {
    const main = join(ROOT, 'codegen/standalone/main.ts')
    const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', main, ...args], { encoding: 'utf8' })
    assert.is(status, 1)
    return stderr.trim()
  }
  assert.is(
    run('--target', 'sse', '--out', 'x'),
    'standalone: --target must be one of scalar, simd128, relaxed, got "sse"',
  )
  assert.is(run(), 'standalone: --out must name the file to write')
  assert.match(run('--model', 'none.safetensors', '--out', 'x'), /^none\.safetensors: must be a readable file, got .*$/)
})

test.run()
