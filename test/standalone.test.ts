/**
 * Standalone modules: without imports, to the bit what the executor gives for every plan, and run by binaryen's
 * wasm-shell, where no JavaScript takes part.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ISAS, type Plan } from '../src/abi.ts'
import { buildStandalone } from '../codegen/standalone/build.ts'
import { MissingTool, PI_ZERO, runTool } from '../codegen/standalone/native.ts'
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
import { argumentsOf, fillInputs, hex, StandaloneHost, symbolsOf } from './support/standalone.ts'
import { thrown } from './support/thrown.ts'
import { runShell } from './support/wasm-shell.ts'

const ROOT = join(import.meta.dirname, '..')
const BATCH = 2
/** Of the vocabulary: kept ids, EOS, and the row of all others. */
const ROWS = MICRO_IDS.length + 2

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

for (const [isa, wasm] of modules) {
  const works = WebAssembly.validate(wasm)

  test(`${isa}: no imports`, () => {
    if (works) assert.equal(WebAssembly.Module.imports(new WebAssembly.Module(wasm)), [])
  })

  test(`${isa}: every plan gives the bits of the executor`, () => {
    if (!works) return
    const host = new StandaloneHost(wasm)
    for (const plan of plans) {
      for (const symbols of symbolsOf(plan, BATCH)) {
        fillInputs(session.executor, plan, symbols, ROWS)
        for (const { buffer, at, length } of host.ports(plan, plan.inputs, symbols)) {
          host.view(buffer.dtype, at, length).set(session.executor.io(plan.name, buffer.name!, symbols))
        }
        session.executor.run(plan.name, symbols)
        host.call(plan.name, ...argumentsOf(plan, symbols))
        for (const { buffer, at, length } of host.ports(plan, plan.outputs, symbols)) {
          const want = session.executor.io(plan.name, buffer.name!, symbols)
          const where = `${plan.name} ${buffer.name} ${JSON.stringify(symbols)}`
          assert.is(hex(host.view(buffer.dtype, at, length)), hex(want), where)
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
    assert.is(hex(image), hex(session.imageFeatures([{ data, width, height, channels: 3 }]).data))

    const ids = [EOS, MICRO_IDS[3], MICRO_IDS[3] + 1, MICRO_IDS[39], EOS]
    const rows = ids.map((id) => host.call('vocabularyRow', id))
    assert.equal(rows, [40, 3, 41, 39, 40])
    host.view('i32', host.constant('encodeText_ids'), ids.length).set(rows)
    host.view('i32', host.constant('encodeText_lengths'), 1).set([ids.length])
    host.call('encodeText', 1, ids.length)
    const text = features('encodeText_text_features')
    assert.is(hex(text), hex(session.textFeatures([ids]).data))

    const at = host.call('workspace', 8 * MICRO_CHANNELS)
    host.view('f32', at, MICRO_CHANNELS).set(image)
    host.view('f32', at + 4 * MICRO_CHANNELS, MICRO_CHANNELS).set(text)
    const want = image.reduce((sum, value, c) => sum + value * text[c], 0)
    assert.is(host.call('similarity', at, at + 4 * MICRO_CHANNELS), want)
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

// It interprets, which takes scalar kernels half a minute: test/verify/wasm-shell.ts runs the other instruction sets.
test('wasm-shell computes the same', () => {
  const narrowed = plans.map((plan) => narrow(plan, { B: BATCH }))
  const addresses = new StandaloneHost(modules.get('scalar')!)
  const more = [`(assert_trap (invoke $reader "encodeImage" (i32.const ${BATCH + 1})) "unreachable")`]
  runShell(modules.get('relaxed')!, { plans: narrowed, executor: session.executor, rows: ROWS, addresses, more })
})

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
  assert.match(run('--model', 'none.safetensors', '--out', 'x'), /^none\.safetensors: must be a readable file, got .*$/)
})

test('a missing tool is named with its packages', async () => {
  const run = runTool('no-such-tool', [], ROOT, PI_ZERO.packages)
  const error = await run.catch((error: unknown) => error)
  assert.instance(error, MissingTool)
  const install = 'apt-get install wabt gcc-arm-linux-gnueabi libc6-dev-armel-cross'
  assert.match((error as Error).message, `no-such-tool: must be installed; on Debian: ${install}`)
})

test.run()
