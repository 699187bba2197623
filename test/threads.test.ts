/**
 * Threads: the same bytes for 1, 2 and 4, in inference and in training; one thread where there can be no more; and one
 * error, in time, where a thread fails or dies. That the parts of every kernel are the whole is in kernels.test.ts.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Plan, PlanBuffer } from '../src/abi.ts'
import { BitGen } from '../src/core.ts'
import { TRAINING_KERNELS } from '../src/training-kernels.ts'
import { encodeImageGraph } from '../src/model/bitgen.ts'
import { modelConfig } from '../src/model/config.ts'
import { lower } from '../src/plan/lower.ts'
import { Executor } from '../src/runtime/execute.ts'
import type { Kernels } from '../src/runtime/kernels.ts'
import { loadKernels } from '../src/runtime/load.ts'
import { threadsFor } from '../src/runtime/thread-count.ts'
import { barrierOf, WORDS } from '../src/runtime/worker.ts'
import { trainConfig } from '../src/train/config.ts'
import { runPaths, trainRun } from '../src/train/run.ts'
import { microModel, picture } from './support/micro-model.ts'
import { drawShapes, shapeConfig } from './support/shapes.ts'
import { thrown } from './support/thrown.ts'

const COUNTS = [1, 2, 4]
const dir = mkdtempSync(join(tmpdir(), 'bitgen-threads-'))
await drawShapes(dir)
test.after(() => rmSync(dir, { recursive: true, force: true }))

const simd = (threads: number, log?: (line: string) => void) =>
  loadKernels({ sources: TRAINING_KERNELS, target: 'simd128', threads, log })

test('inference: the same bytes for 1, 2 and 4 threads', async () => {
  const bytes = await microModel()
  const results: unknown[] = []
  for (const threads of COUNTS) {
    const model = await BitGen.load(bytes, { threads })
    assert.is(model.info().threads, threads)
    const inputIds = [50256, 207, 214, 50256]
    // Features, states, and through fusion and captions all other plans.
    results.push([
      await model.embedImage([picture(1), picture(2), picture(3)]),
      await model.embedText([inputIds, [50256, 221, 50256]]),
      await model.forward({ inputIds, image: picture(4), returnContrastiveFeatures: true }),
      await model.match(picture(1), inputIds),
      await model.caption(picture(2), { beams: 2 }),
      await model.selfTest(),
    ])
    model.dispose()
  }
  for (const result of results) assert.equal(result, results[0])
})

test('calls that are long enough for several parts a thread: the same bytes for 1, 2 and 4 threads', async () => {
  const graph = encodeImageGraph(modelConfig('tiny'))
  const plan = lower(graph, { symbols: { B: 1 }, deterministic: true, part: 'run' })
  const results: Float32Array[] = []
  for (const threads of COUNTS) {
    const executor = new Executor(await simd(threads), [plan])
    const wave = (_: number, i: number) => (((i * 31) % 97) - 48) / 200
    // Bytes of codes 0, 1 and 2.
    const codes = (_: number, i: number) => [0x24, 0x16, 0xa1, 0x48][i % 4]
    for (const { name, dtype } of executor.names('weight')) {
      const weight = executor.tensor(name!)
      weight.set(weight.map(dtype === 't2' ? codes : wave))
    }
    const pixels = executor.io(plan.name, 'pixels')
    pixels.set(pixels.map(wave))
    executor.run(plan.name, { B: 1 })
    results.push(executor.io(plan.name, 'image_features').slice() as Float32Array)
    executor.close()
  }
  assert.ok(results[0].some((value) => value !== 0))
  for (const result of results) assert.equal(result, results[0])
})

test('threads take every part of a call once, their own share first, in whatever order they ask', () => {
  const words = new Int32Array(new SharedArrayBuffer(4 * 64))
  const [first, second] = [0, 1].map((index) => barrierOf(words, WORDS, index, 2))
  first.begin()
  second.begin()
  const call = (order: string, parts: number) => Array.from(order, (who) => (who === 'a' ? first : second).take(parts))
  assert.equal(call('abbbbaba', 6), [0, 3, 4, 5, 1, 2, -1, -1])
  assert.equal(call('aaabba', 4), [0, 1, 2, 3, -1, -1])
  assert.equal(call('bbaa', 2), [1, -1, 0, -1])
  assert.equal(call('bababa', 4), [2, 0, 3, 1, -1, -1])
})

test('a model that is disposed of in the midst of a caption ends that caption, and no other model', async () => {
  const bytes = await microModel()
  const [gone, other] = [await BitGen.load(bytes, { threads: 2 }), await BitGen.load(bytes, { threads: 2 })]
  const reading = gone.caption(picture(2), { temperature: 3, seed: 1 })[Symbol.asyncIterator]()
  await reading.next()
  gone.dispose()
  const rest = async () => {
    while (!(await reading.next()).done);
  }
  assert.is(await thrown(rest), 'RangeError: model: must not be used after dispose()')
  await other.embedImage(picture(1))
  assert.is(other.info().threads, 2)
  other.dispose()
})

/** sha256 of the last checkpoint of a run of 3 steps. */
async function trained(output: string, threads: number, steps = 3): Promise<string> {
  const config = trainConfig(shapeConfig({ output, steps, evaluateEvery: 3, checkpointEvery: 1 }), dir)
  await trainRun(config, { kernels: await simd(threads), allowChangedConfig: true })
  const folder = runPaths(join(dir, output)).checkpoints
  return createHash('sha256')
    .update(readFileSync(join(folder, readdirSync(folder).sort().at(-1)!)))
    .digest('hex')
}

test('training: the same checkpoint after three steps on 1, 2 and 4 threads', async () => {
  const digests: string[] = []
  for (const threads of COUNTS) digests.push(await trained(`on-${threads}`, threads))
  assert.equal(digests, [digests[0], digests[0], digests[0]])
})

test('memory of further threads is part of what is reserved', async () => {
  const bytes = await microModel()
  const [one, four] = await Promise.all([1, 4].map((threads) => BitGen.load(bytes, { threads })))
  assert.ok(four.info().memory.total > one.info().memory.total)
  four.dispose()
})

test('small models run on one thread, large ones on several', () => {
  const plan = (preset: 'nano' | 'tiny') =>
    lower(encodeImageGraph(modelConfig(preset)), { symbols: { B: 8 }, deterministic: true, part: 'run' })
  assert.is(threadsFor([plan('nano')]), 1)
  assert.is(threadsFor([plan('tiny')]), Math.min(4, availableParallelism()))
})

test('without shared memory one thread runs the model, and the log says so', async () => {
  const { SharedArrayBuffer } = globalThis
  const lines: string[] = []
  try {
    Object.assign(globalThis, { SharedArrayBuffer: undefined })
    const kernels = await simd(2, (line) => lines.push(line))
    assert.is(kernels.team, undefined)
  } finally {
    Object.assign(globalThis, { SharedArrayBuffer })
  }
  assert.equal(lines, ['threads: 1, not 2: this engine or page has no shared memory', 'kernels: simd128'])
})

const N = 1000

/** A plan of two sums y = x + x, the second written `plus` bytes into y. */
function sums(plus = 0): Plan {
  const buffers = ['x', 'y'].map((name): PlanBuffer => {
    return { name, segment: 'state', dtype: 'f32', shape: [N], bytes: 4 * N, offset: 0 }
  })
  const calls = [0, plus].map((far) => ({ k: 'add__f32', a: [{ at: 0 }, { at: 0 }, { at: 1, plus: far }, N] }))
  return { name: 'sums', deterministic: true, symbols: {}, buffers, calls, inputs: [], outputs: ['y'] }
}

function executorOf(kernels: Kernels, plan: Plan): Executor {
  const executor = new Executor(kernels, [plan])
  executor.tensor('x').fill(1)
  return executor
}

test('a trap on another thread is one error, and no later run begins', async () => {
  const kernels = await simd(2)
  const { buffer, byteOffset } = executorOf(kernels, sums()).tensor('y')
  // Of the second half, which is the other thread's, the end lies behind that of memory.
  const executor = executorOf(kernels, sums(buffer.byteLength - byteOffset - 3 * N))
  assert.match(
    await thrown(() => executor.run('sums')),
    /thread 1: must come to the end of its part, got "?RuntimeError: memory access out of bounds/,
  )
  assert.match(await thrown(() => executor.run('sums')), 'plan sums: kernels must not have trapped')
})

test('a thread that died is one error in time; other models go on without it', async () => {
  const [kernels, others] = [await simd(3), await simd(3)]
  const [executor, other] = [kernels, others].map((one) => executorOf(one, sums()))
  executor.run('sums')
  kernels.team!.timeout = 300
  kernels.team!.pool.workers[1].terminate()
  await new Promise((resolve) => setTimeout(resolve, 50))
  const start = performance.now()
  assert.match(
    await thrown(() => executor.run('sums')),
    'thread 2: must come to the end of its part, got "nothing for 300 ms"',
  )
  assert.ok(performance.now() - start < 20_000)
  assert.match(await thrown(() => executor.run('sums')), 'plan sums: kernels must not have trapped')
  other.run('sums')
  assert.ok(other.tensor('y').every((y) => y === 2))
  assert.is(others.team!.threads, 1)
})

test('the number of threads is a whole number', async () => {
  for (const threads of [0, 1.5, NaN]) {
    assert.match(await thrown(() => simd(threads)), 'threads: must be a whole number from 1')
  }
})

test.run()
