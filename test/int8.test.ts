/** Weights that stay int8 codes: the bits of the same plans on f32 weights, less memory, and what stays f32. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Plan } from '../src/abi.ts'
import { readModelFile, scaleName } from '../src/io/model-file.ts'
import { plansOf, readPlanRows, writePlans } from '../src/io/plan-tables.ts'
import { inferenceGraphs } from '../src/model/bitgen.ts'
import type { ModelConfig } from '../src/model/config.ts'
import { lower } from '../src/plan/lower.ts'
import { Executor } from '../src/runtime/execute.ts'
import { storedWeight } from '../src/runtime/weights.ts'
import { int8Plans } from '../src/train/int8.ts'
import { builtModule } from './support/kernels.ts'
import { microModel } from './support/micro-model.ts'
import { uniform } from './support/op-case.ts'

const TABLE = 'text.token_embedding.weight'
const file = readModelFile(await microModel())
const symbols = Object.assign({}, ...file.plans.map((plan) => plan.symbols))
/** The plans on f32 weights that export began with. */
const floatPlans = inferenceGraphs(file.manifest.config as unknown as ModelConfig).map((graph) =>
  lower(graph, { symbols, deterministic: true, part: 'run' }),
)

async function executorOf(plans: readonly Plan[]): Promise<Executor> {
  const executor = new Executor(await builtModule('simd128'), plans)
  for (const { name, dtype } of executor.names('weight')) {
    executor.tensor(name!).set(storedWeight(file, name!, dtype) as Float32Array)
  }
  return executor
}

/** The weight `name` in each plan that has it. */
const weightsOf = (plans: readonly Plan[], name: string) =>
  plans.flatMap(({ buffers }) => buffers.filter((buffer) => buffer.name === name))

test('plans on codes give the bits of plans on f32', async () => {
  const [floats, codes] = [await executorOf(floatPlans), await executorOf(file.plans)]
  assert.ok(codes.memoryUse.weights < 0.5 * floats.memoryUse.weights)
  const T = 7
  for (const [plan, symbols, outputs] of [
    ['encodeImage', { B: 2 }, ['image_features']],
    ['encodeText', { B: 2, T }, ['text_features']],
  ] as const) {
    const results = [floats, codes].map((executor) => {
      const next = uniform(5)
      if (executor.hasIo(plan, 'pixels')) {
        const pixels = executor.io(plan, 'pixels', symbols) as Float32Array
        pixels.forEach((_, i) => (pixels[i] = next() - 0.5))
      } else {
        const ids = executor.io(plan, 'ids', symbols) as Int32Array
        ids.forEach((_, i) => (ids[i] = Math.floor(40 * next())))
        executor.io(plan, 'lengths', symbols).set([T, T - 2])
      }
      executor.run(plan, symbols)
      return outputs.map((name) => Array.from(executor.io(plan, name, symbols)))
    })
    assert.ok(results[0][0].some((value) => value !== 0))
    assert.equal(results[1], results[0], plan)
  }
})

test('a table is codes for its reader and for the head, in every plan', () => {
  const { plans } = file
  assert.equal(plansOf(readPlanRows(writePlans(int8Plans(floatPlans, file.tensors)))), plans)
  const families = new Set(plans.flatMap(({ calls }) => calls.map(({ k }) => k)))
  assert.ok(families.has('embedding__i8') && families.has('matmul_nt__f32_i8'))
  const tables = weightsOf(plans, TABLE)
  assert.ok(tables.length > 1 && tables.every(({ dtype }) => dtype === 'i8'))
  assert.is(weightsOf(plans, scaleName(TABLE)).length, tables.length)
})

test('a weight that some call reads otherwise, or of another size, stays f32', () => {
  const withTable = floatPlans.find(({ buffers }) => buffers.some((buffer) => buffer.name === TABLE))!
  const index = withTable.buffers.findIndex((buffer) => buffer.name === TABLE)
  const read: Plan = {
    ...withTable,
    calls: [...withTable.calls, { k: 'add__f32', a: [{ at: index }, { at: index }, { at: index }, 1] }],
  }
  const smaller: Plan = {
    ...withTable,
    buffers: withTable.buffers.map((buffer, i) => (i === index ? { ...buffer, bytes: buffer.bytes + 4 } : buffer)),
  }
  for (const changed of [read, smaller]) {
    const plans = floatPlans.map((plan) => (plan === withTable ? changed : plan))
    const rewritten = int8Plans(plans, file.tensors)
    assert.ok(weightsOf(rewritten, TABLE).every(({ dtype }) => dtype === 'f32'))
    assert.is(weightsOf(rewritten, scaleName(TABLE)).length, 0)
  }
})

test.run()
