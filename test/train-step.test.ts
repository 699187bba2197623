/**
 * A step of training as plans: accumulated gradients are the mean of the gradients of their micro-batches, skipping
 * untouched rows of the vocabulary changes no bit, and a step that is not finite changes nothing. On a tiny model.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Stream } from '../src/base/rng.ts'
import { modelConfig, patches, type ModelConfig } from '../src/model/config.ts'
import { initialValue, parameters } from '../src/model/init.ts'
import type { LossWeights } from '../src/model/objective.ts'
import { TOKEN_TABLE } from '../src/model/text.ts'
import { adamControl } from '../src/ops/adamw.ts'
import { lower } from '../src/plan/lower.ts'
import { Executor } from '../src/runtime/execute.ts'
import { decays, momentNames, rateFactor, trainGraphs, type StepOptions } from '../src/train/step.ts'
import { builtModule } from './support/kernels.ts'
import { shapeConfig } from './support/shapes.ts'

const [B, T, VOCABULARY] = [4, 5, 40]
/** Targets of the decoder: the second and third token of every text. */
const R = 2 * B
const { preset: _preset, ...micro } = shapeConfig().model
const MODEL: ModelConfig = { ...modelConfig('nano', micro), vocabulary: VOCABULARY }
const CONTRAST = { itc: 1, itm: 0, text: 0, memory: 0, imageContrast: 0 }
const ALL = { itc: 1, itm: 0.5, text: 0.5, memory: 0.1, imageContrast: 0.5 }
const OPTIONS: StepOptions = {
  losses: CONTRAST,
  concepts: true,
  queue: 0,
  negatives: 'batch',
  episode: 3,
  labelSmoothing: 0.1,
  freeze: [],
  cachedTower: false,
  joinAt: 0,
  clip: 1,
  accumulate: 1,
}
/** High enough to show in few steps. */
const RATE = 0.01
const DECAY = 0.02

/** A model at its initial values with the plans of a step. */
async function trainer(options: Partial<StepOptions>) {
  const all = { ...OPTIONS, ...options }
  const graphs = trainGraphs(MODEL, all, { prefix: '', losses: all.losses })
  const plans = graphs.map((graph) => lower(graph, { symbols: { B, T, R }, deterministic: false }))
  const executor = new Executor(await builtModule('simd128'), plans)
  for (const { name } of executor.names('state')) executor.tensor(name!).fill(0)
  const trained = parameters(graphs[0])
  for (const p of trained) executor.tensor(p.name!).set(initialValue(p, 3))
  return {
    executor,
    trained,
    /** Runs a plan on the random batch `n`, as optimiser step `step`. */
    run(plan: string, n: number, step = 1): void {
      const set = (name: string, data: ArrayLike<number>) =>
        executor.hasIo(plan, name) && executor.io(plan, name).set(data)
      const stream = new Stream(n, 0, 0, 0)
      const draw = (count: number, value: () => number) => Array.from({ length: count }, value)
      set('control', adamControl({ step, rate: RATE, decay: DECAY }))
      set(
        'ids',
        // Each batch reaches few rows of the table.
        draw(B * T, () => 5 * stream.below(3) + n),
      )
      set(
        'lengths',
        draw(B, () => 2 + stream.below(T - 1)),
      )
      set('concepts', [0, 1, 2, 3])
      set(
        'target_ids',
        draw(B * T, () => stream.below(VOCABULARY)),
      )
      set(
        'target_rows',
        Array.from({ length: R }, (_, r) => Math.floor(r / 2) * T + (r % 2)),
      )
      set(
        'targets',
        draw(R, () => stream.below(VOCABULARY)),
      )
      set('reads', [1, 0, 1, 0])
      set(
        'visible',
        [1, 0, 1, 0].map((reads) => 1 + patches(MODEL) + reads),
      )
      for (const name of ['draw_text', 'draw_image'])
        set(
          name,
          draw(B, () => stream.next()),
        )
      set(
        'pixels',
        draw(B * 3 * MODEL.image ** 2, () => stream.normal()),
      )
      executor.run(plan, executor.hasIo(plan, 'ids') ? { B, T, R } : {})
    },
    /** A copy of a parameter or state. */
    value: (name: string) => Float32Array.from(executor.tensor(name)),
  }
}

type Stepper = Awaited<ReturnType<typeof trainer>>

/** The gradient of a batch at the initial values, from the first moments of a step: m = (1 - beta1) factor g. */
async function gradientsOf(n: number, losses: LossWeights): Promise<Map<string, Float64Array>> {
  const { run, executor, trained, value } = await trainer({ losses })
  run('trainStep', n)
  const factor = executor.io('trainStep', 'norm')[1]
  return new Map(
    trained.map(({ name }) => {
      const m = value(momentNames(name!)[0])
      return [name!, Float64Array.from(m, (one) => one / 0.1 / factor)]
    }),
  )
}

function close(got: ArrayLike<number>, want: ArrayLike<number>, bound: number, what: string): void {
  const largest = Array.from(want).reduce((most, one) => Math.max(most, Math.abs(one)), 1e-6)
  for (let i = 0; i < want.length; i++) {
    const error = Math.abs(got[i] - want[i]) / largest
    assert.ok(error <= bound, `${what}[${i}]: ${got[i]} must be ${want[i]}`)
  }
}

for (const [name, losses] of Object.entries({ contrast: CONTRAST, 'all losses': ALL })) {
  test(`two micro-batches, ${name}: the sums are the mean of their gradients, the step follows them`, async () => {
    const [first, second] = [await gradientsOf(1, losses), await gradientsOf(2, losses)]
    const t = await trainer({ losses, accumulate: 2 })
    const before = new Map(t.trained.map(({ name }) => [name!, t.value(name!)]))
    t.run('accumulate', 1)
    t.run('accumulate', 2)
    let squares = 0
    const mean = new Map<string, Float64Array>()
    for (const { name } of t.trained) {
      const g = first.get(name!)!.map((one, i) => (one + second.get(name!)![i]) / 2)
      mean.set(name!, g)
      close(t.value(`sum.${name}`), g, 2e-5, `sum.${name}`)
      for (const one of g) squares += one * one
    }
    const norm = Math.sqrt(squares)
    t.run('update', 0)
    close(t.executor.io('update', 'norm'), [norm, 1 / (norm + 1e-6)], 1e-5, 'norm')
    assert.ok(norm > 1, `the clip must act on a norm of ${norm}`)
    for (const p of t.trained) {
      const name = p.name!
      // AdamW's first step: both corrections cancel, the rate times g / (|g| + eps), then decay.
      const want = before.get(name)!.map((w, i) => {
        const g = mean.get(name)![i] / norm
        const rate = RATE * rateFactor(p)
        return w - rate * (g / (Math.abs(g) + 1e-8)) - (decays(p) ? rate * DECAY * w : 0)
      })
      // The sign of a gradient that rounding decides is not asked for.
      const sure = want.map((w, i) => (Math.abs(mean.get(name)![i] / norm) > 1e-5 ? w : t.value(name)[i]))
      close(t.value(name), sure, 1e-3, name)
      assert.ok(
        t.value(`sum.${name}`).every((one) => one === 0),
        `sum.${name} must be 0 for the next step`,
      )
    }
  })
}

/** Parameters and moments of two trainers, compared bit for bit. */
function same(a: Stepper, b: Stepper, when: string): void {
  for (const { name } of a.trained) {
    for (const one of [name!, ...momentNames(name!)])
      assert.equal(new Uint32Array(a.value(one).buffer), new Uint32Array(b.value(one).buffer), `${one} ${when}`)
  }
}

test('skipping untouched rows of the vocabulary is the plain update, bit for bit', async () => {
  const sparse = await trainer({})
  // Half of a gradient twice is the gradient without rounding, and accumulation knows nothing of touched rows.
  const dense = await trainer({ accumulate: 2 })
  const initial = sparse.value(TOKEN_TABLE)
  for (const [i, n] of [1, 2, 1, 4, 3, 2].entries()) {
    sparse.run('trainStep', n, i + 1)
    dense.run('accumulate', n)
    dense.run('accumulate', n)
    dense.run('update', 0, i + 1)
    assert.is(sparse.executor.io('trainStep', 'norm')[0], dense.executor.io('update', 'norm')[0])
    same(sparse, dense, `after step ${i + 1}`)
  }
  const touched = Array.from(sparse.executor.tensor('touched'))
  const C = MODEL.channels
  const moved = touched.map((_, row) => initial.subarray(row * C, row * C + C).join() !== rowOf(sparse, row))
  assert.equal(moved, touched.map(Boolean))
  assert.ok(moved.includes(true) && moved.includes(false), 'some rows must move, some not')
})

function rowOf(t: Stepper, row: number): string {
  const C = MODEL.channels
  return t
    .value(TOKEN_TABLE)
    .subarray(row * C, row * C + C)
    .join()
}

for (const [accumulate, losses] of [
  [1, CONTRAST],
  [2, CONTRAST],
  [1, ALL],
] as const) {
  const which = losses === ALL ? 'all losses' : 'contrast'
  test(`a value that is not finite passes without a trace, ${which}, ${accumulate} micro-batches`, async () => {
    const t = await trainer({ losses, accumulate, queue: 8 })
    const step = (n: number, number: number) => {
      if (accumulate === 1) return t.run('trainStep', n, number)
      t.run('accumulate', n)
      t.run('accumulate', n + 1)
      t.run('update', 0, number)
    }
    const states = () =>
      t.executor.names('state').flatMap(({ name }) => (name === 'touched' ? [] : [[name, t.value(name!)] as const]))
    step(1, 1)
    const poisoned = t.executor.tensor('itc.text_proj.weight')
    const sound = poisoned[7]
    const before = states()
    poisoned[7] = NaN
    step(2, 2)
    assert.ok(Number.isNaN(t.executor.io(accumulate === 1 ? 'trainStep' : 'update', 'norm')[1]))
    poisoned[7] = sound
    assert.equal(states(), before)
    step(2, 3)
    const norm = t.executor.io(accumulate === 1 ? 'trainStep' : 'update', 'norm')
    assert.ok(norm.every(Number.isFinite))
  })
}

test.run()
