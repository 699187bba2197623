/**
 * What a run may be asked for beyond the plain one: negatives of the queue, whose samples are made again; a frozen tower,
 * whose outputs are computed once; a tower from a published file; named schedules; a share of the data held back.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { loadNewest } from '../src/io/checkpoint.ts'
import { tensorOf, writeSafetensors, type Tensor } from '../src/io/safetensors.ts'
import { modelConfig, TOWERS } from '../src/model/config.ts'
import { trainConfig } from '../src/train/config.ts'
import { loadTrainData } from '../src/train/data.ts'
import { chooseNegatives } from '../src/train/negatives.ts'
import { trainRun } from '../src/train/run.ts'
import { Trainer } from '../src/train/trainer.ts'
import { builtModule } from './support/kernels.ts'
import { shapeConfig, shapesFolder } from './support/shapes.ts'
import { thrown } from './support/thrown.ts'

const dir = await shapesFolder()

/** As from a file: keys that are undefined are not there. */
const configOf = (overrides: Record<string, unknown>) =>
  trainConfig(JSON.parse(JSON.stringify(shapeConfig(overrides))), dir)

async function trainerOf(overrides: Record<string, unknown>): Promise<Trainer> {
  const config = configOf({ output: 'options', ...overrides })
  const kernels = await builtModule('simd128')
  return new Trainer(kernels, config, await loadTrainData(kernels, config))
}

const statesOf = (trainer: Trainer) =>
  new Map(Array.from(trainer.states(), ([name, { data }]) => [name, Array.from(data)]))

/** Without the queue's, which one of two runs may lack. */
function weightsOf(trainer: Trainer): [string, number[]][] {
  return [...statesOf(trainer)].filter(([name]) => !name.startsWith('queue.'))
}

test('a draw of the queue becomes a row behind the batch, the same sample once, beyond the most a draw of the batch', () => {
  const rows: Record<string, number[]> = {
    text_rows: [1, 4 + 2, 4 + 0, -1],
    text_rows_batch: [1, 2, 3, -1],
    image_rows: [4 + 2, 0, 4 + 1, 4 + 3],
    image_rows_batch: [3, 0, 1, -1],
  }
  const kept = [70, 71, 72, 73]
  const { text, image, extra } = chooseNegatives((name) => rows[name], kept, 2)
  assert.equal(extra, [72, 70])
  assert.equal(text, [1, 4, 5, -1])
  assert.equal(image, [4, 0, 1, -1])
})

test('a sample of the queue is made again as it was: a step on it gives what a step on the first one gave', async () => {
  const overrides = { negatives: 'queue', queue: 24, batch: 8, steps: 40 }
  const trainer = await trainerOf(overrides)
  const pixels = (name: string, count: number, symbols: Record<string, number>) =>
    Array.from(trainer.executor.io('trainStep', name, symbols)).slice(0, count)
  const [length, seen] = [3 * 32 * 32, new Map<number, string>()]
  let again = 0
  for (let step = 1; step <= 6; step++) {
    const feeder = (trainer as unknown as { feeder: { feed(plan: string, micro: number): Record<string, number> } })
      .feeder
    const symbols = feeder.feed('trainStep', step)
    const numbers = Array.from(trainer.executor.io('trainStep', 'samples', symbols))
    const all = pixels('pixels', 8 * length, symbols)
    numbers.forEach((number, i) => seen.set(number, all.slice(i * length, (i + 1) * length).join()))
    const extra = pixels('extra_pixels', symbols.X * length, symbols)
    for (let x = 0; x < symbols.X; x++) {
      const picture = extra.slice(x * length, (x + 1) * length).join()
      const number = [...seen].find(([, one]) => one === picture)?.[0]
      assert.ok(number !== undefined, `sample ${x} of step ${step} must have been there before`)
      if (number < 8 * (step - 1)) again++
    }
    trainer.step(step)
  }
  assert.ok(again > 0, 'some samples must come from the queue')
})

test('negatives of the queue: the step learns, and a resumed run is the run', async () => {
  const overrides = { negatives: 'queue', queue: 24, batch: 8, steps: 9, checkpointEvery: 4, evaluateEvery: 9 }
  const whole = await trainerOf(overrides)
  whole.centre()
  for (let step = 1; step <= 9; step++) assert.not(whole.step(step).skipped)
  const kernels = await builtModule('simd128')
  for (const until of [5, 9]) {
    const stop = new AbortController()
    const onStep = ({ step }: { step: number }) => step === until && stop.abort()
    await trainRun(configOf({ ...overrides, output: 'queue-resumed' }), { kernels, onStep, signal: stop.signal })
  }
  const { tensors } = loadNewest(join(dir, 'queue-resumed', 'checkpoints'))!
  for (const [name, data] of statesOf(whole))
    assert.equal(Array.from(tensors.get(name)!.data as Float32Array), data, name)
})

test('a frozen tower whose outputs are cached trains the rest to the bit as one that runs every step', async () => {
  const frozen = { freeze: ['vision.'], augmentation: null, queue: 0, steps: 6 }
  const cached = await trainerOf(frozen)
  // Prefixes of all parts are no prefix of the whole: the tower runs, as one that is frozen in part does.
  const parts = ['vision.embeddings', 'vision.encoder', 'vision.layernorm', 'vision.stem']
  const running = await trainerOf({ ...frozen, freeze: parts })
  assert.ok(cached.executor.hasIo('trainStep', 'tower') && !cached.executor.hasIo('trainStep', 'pixels'))
  assert.ok(running.executor.hasIo('trainStep', 'pixels'))
  const before = new Map(weightsOf(cached))
  for (const trainer of [cached, running]) for (let step = 1; step <= 3; step++) trainer.step(step)
  const want = new Map(weightsOf(running))
  for (const [name, got] of weightsOf(cached)) {
    if (name.startsWith('vision.')) assert.equal(got, before.get(name), `${name} must stay as it was`)
    const error = Math.max(...got.map((x, i) => Math.abs(x - want.get(name)![i])))
    // The step may use kernels that round otherwise than those of the cache.
    assert.ok(error < 2e-3, `${name}: ${error}`)
  }
  assert.ok([...before].some(([name, data]) => `${data}` !== `${want.get(name)}`))
})

test('what is to be frozen must be there: a name that is misspelt would train it', async () => {
  const message = await thrown(() => trainerOf({ freeze: ['text.', 'vison.'] }))
  assert.is(message, 'RangeError: config: freeze: must be beginnings of names of parameters, got "vison."')
})

test('a tower starts from a published file; one that lacks a tensor or has another shape is refused by name', async () => {
  const tensors = new Map<string, Tensor>()
  const plain = await trainerOf({})
  for (const [name, { shape, data }] of plain.states()) {
    if (!name.startsWith('vision.')) continue
    const values = Float32Array.from(data, (_, i) => Math.sin(i))
    tensors.set(`dinov2.${name.slice('vision.'.length)}`, tensorOf(values, shape))
  }
  tensors.set('dinov2.embeddings.mask_token', tensorOf(new Float32Array(3)))
  const write = (name: string) => writeFileSync(join(dir, name), writeSafetensors(tensors, {}))
  write('tower.safetensors')
  const trainer = await trainerOf({ towerWeights: 'tower.safetensors' })
  trainer.setTower()
  const got = statesOf(trainer)
  for (const [name, { data }] of tensors) {
    if (name.endsWith('mask_token')) continue
    assert.equal(got.get(name.replace('dinov2.', 'vision.')), Array.from(data as Float32Array), name)
  }
  tensors.set('dinov2.layernorm.weight', tensorOf(new Float32Array(5)))
  write('other.safetensors')
  const other = await trainerOf({ towerWeights: 'other.safetensors' })
  assert.throws(() => other.setTower(), /other.safetensors: layernorm.weight: must have shape \[32\], got \[5\]/)
  tensors.delete('dinov2.layernorm.weight')
  write('none.safetensors')
  const none = await trainerOf({ towerWeights: 'none.safetensors' })
  assert.throws(() => none.setTower(), /none.safetensors: must have the tensor layernorm.weight/)
})

test('losses that join later leave what only they train untouched until then, and begin it as a new run would', async () => {
  const late = await trainerOf({ joinAt: 0.5, steps: 8, queue: 0, warmup: 2 })
  const begun = statesOf(late)
  const ofFusion = (name: string) => /^(itm|memory|decoder)\./.test(name)
  for (let step = 1; step <= 4; step++) {
    const report = late.step(step)
    assert.is(report.itmLoss, undefined)
    assert.ok(report.contrastiveLoss > 0)
  }
  for (const [name, data] of statesOf(late)) if (ofFusion(name)) assert.equal(data, begun.get(name), name)
  const before = statesOf(late)
  const report = late.step(5)
  assert.ok(report.itmLoss! > 0 && report.textLoss! > 0)
  const after = statesOf(late)
  // AdamW's first step: a rate of half the warmup times the sign of the gradient, whatever the gradients' size.
  for (const name of ['itm.head.bias', 'memory.norm.bias']) {
    after.get(name)!.forEach((x, i) => {
      const moved = Math.abs(x - before.get(name)![i])
      assert.ok(moved === 0 || Math.abs(moved / (report.rate / 2) - 1) < 0.05, `${name}: ${moved} of ${report.rate}`)
    })
  }
})

test('with negatives of the queue, matching may join later too', async () => {
  const late = await trainerOf({ joinAt: 0.5, steps: 4, negatives: 'queue', queue: 24, batch: 8 })
  for (let step = 1; step <= 2; step++) assert.is(late.step(step).itmLoss, undefined)
  for (let step = 3; step <= 4; step++) assert.ok(late.step(step).itmLoss! > 0)
})

test('schedules have names, whose numbers a configuration may replace', () => {
  const of = (overrides: Record<string, unknown>) => {
    const { rate, warmup, decayUntil } = configOf({ rate: undefined, warmup: undefined, ...overrides })
    return { rate, warmup, decayUntil }
  }
  assert.equal(of({ steps: 20_000 }), { rate: 2e-4, warmup: 1000, decayUntil: 1 })
  assert.equal(of({ steps: 20_000, schedule: 'bitnet' }), { rate: 1e-3, warmup: 1000, decayUntil: 0.5 })
  assert.is(of({ steps: 995 }).warmup, 100, 'a tenth of a short run')
  assert.equal(of({ schedule: 'bitnet', warmup: 5 }), { rate: 1e-3, warmup: 5, decayUntil: 0.5 })
})

test('towers have names, whose keys a configuration may replace', () => {
  const small = modelConfig('tiny', { vision: 'dinov2-small' }).vision
  assert.equal(small, TOWERS['dinov2-small'])
  assert.equal([small.hidden, small.depth, small.heads, small.storedImage], [384, 12, 6, 518])
  const partly = modelConfig('tiny', { vision: { tower: 'dinov2-base', linear: 'int8' } }).vision
  assert.equal([partly.hidden, partly.linear], [768, 'int8'])
  assert.is(modelConfig('tiny', { vision: { depth: 2 } }).vision.hidden, 128)
})

test('without a validation file a share of the images is held back, the same for a seed', async () => {
  const data = { images: 'images', train: 'train.json', validationShare: 0.25 }
  const ids = async (seed: number) => {
    const { data: loaded } = await trainerOf({ data, seed })
    const [train, held] = [loaded.train, loaded.validation].map(({ images }) => images.map(({ id }) => id))
    assert.is(held.length, 8)
    assert.is(train.length, 24)
    assert.ok(!held.some((id) => train.includes(id)))
    return held
  }
  assert.equal(await ids(5), await ids(5))
  assert.not.equal(await ids(5), await ids(6))
})

test('a table of fewer rows than GPT-2 has ids is refused where it must hold them all', async () => {
  const model = { ...shapeConfig().model, vocabulary: 5000 }
  const failure = await trainerOf({ model, vocabulary: 'full' }).then(() => '', String)
  assert.match(failure, /^RangeError: config: model\.vocabulary: must be 50257 where vocabulary is full, got 5000$/)
})

test.run()
