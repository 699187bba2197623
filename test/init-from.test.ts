/**
 * A model file, or a checkpoint, gives a new run its weights: the trainer that starts from a model computes what the file
 * computes by its own plans. On tiny models, one for each way in which export stores the weights of the vision side.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BitGen } from '../src/index.ts'
import { loadNewest, readCheckpoint } from '../src/io/checkpoint.ts'
import { readModelFile } from '../src/io/model-file.ts'
import { TOKEN_TABLE } from '../src/model/text.ts'
import { encodeText } from '../src/text/tokenizer.ts'
import { VocabularyMap } from '../src/text/vocabulary.ts'
import { trainConfig } from '../src/train/config.ts'
import { loadTrainData } from '../src/train/data.ts'
import { exportModel } from '../src/train/export.ts'
import { runPaths, trainRun } from '../src/train/run.ts'
import { Trainer } from '../src/train/trainer.ts'
import { builtModule } from './support/kernels.ts'
import { shapeConfig, shapesFolder } from './support/shapes.ts'

const dir = await shapesFolder()

const { model } = shapeConfig()
const configOf = (output: string, vision: object, seed: number) =>
  trainConfig(shapeConfig({ output, seed, steps: 4, model: { ...model, vision: { ...model.vision, ...vision } } }), dir)

/** Trains a few steps and exports: the bytes of the model file. */
async function exported(output: string, vision: object): Promise<Uint8Array> {
  await trainRun(configOf(output, vision, 1), { kernels: await builtModule('simd128') })
  const { path } = loadNewest(runPaths(join(dir, output)).checkpoints)!
  return exportModel(path, { kernels: await builtModule('simd128') })
}

const isParameter = (name: string) => !/^(adam|queue|sum)\.|^touched$/.test(name)

function close(got: ArrayLike<number>, want: ArrayLike<number>): void {
  assert.is(got.length, want.length)
  const worst = Array.from(want).reduce((most, one, i) => Math.max(most, Math.abs(got[i] - one)), 0)
  assert.ok(worst <= 1e-5, `features differ by ${worst}`)
}

for (const [name, vision] of [
  ['a stem', {}],
  ['a ternary stem', { stemLinear: 'ternary' }],
  ['an int8 stem and tower', { stemLinear: 'int8', linear: 'int8' }],
  ['a patch embedding', { stem: [], patch: 8 }],
] as [string, object][]) {
  test(`a trainer starts from a model with ${name}`, async () => {
    const bytes = await exported(name, vision)
    const kernels = await builtModule('simd128')
    // Another seed: what is not taken from the file shows.
    const config = configOf(`from ${name}`, vision, 2)
    const trainer = new Trainer(kernels, config, await loadTrainData(kernels, config))
    trainer.setParameters(readModelFile(bytes))
    const started = trainer.validation.features()
    const file = await BitGen.load(bytes)
    const { images, pixels } = trainer.data.validation
    const pictures = images.map((_, i) => ({ data: pixels(i), width: 32, height: 32, channels: 3 as const }))
    close(started.image, (await file.embedImage(pictures)).data)
    close(started.text, (await file.embedText(images.flatMap(({ captions }) => captions))).data)
  })
}

test('a trainer starts from a checkpoint with every parameter as it was; what is frozen then stays', async () => {
  const kernels = await builtModule('simd128')
  await trainRun(configOf('first', {}, 1), { kernels })
  const checkpoint = loadNewest(runPaths(join(dir, 'first')).checkpoints)!
  const config = { ...configOf('second', {}, 2), freeze: ['vision.', 'text.'], steps: 2 }
  const trainer = new Trainer(kernels, config, await loadTrainData(kernels, config))
  trainer.setFromCheckpoint(checkpoint)
  const states = () => new Map(Array.from(trainer.states(), ([name, { data }]) => [name, Array.from(data)]))
  const before = states()
  for (const [name, data] of before)
    if (isParameter(name)) assert.equal(data, Array.from(checkpoint.tensors.get(name)!.data as Float32Array), name)
  trainer.step(1)
  for (const [name, data] of states()) {
    if (!isParameter(name)) continue
    if (/^(vision|text)\./.test(name)) assert.equal(data, before.get(name), `${name} must stay`)
  }
  assert.not.equal(states().get('itm.head.weight'), before.get('itm.head.weight'))
  const wider = configOf('wider', { hidden: 64 }, 2)
  const other = new Trainer(kernels, wider, await loadTrainData(kernels, wider))
  assert.throws(
    () => other.setFromCheckpoint(checkpoint),
    /init checkpoint: vision\..*: must have shape \[.*64.*\], got \[.*32/,
  )
})

/** The shapes with `dog` for `red`: as many words, and not the same. */
function withDogs(name: string): string {
  const text = readFileSync(join(dir, name), 'utf8').replaceAll(/red(?=[ "])/g, 'dog')
  writeFileSync(join(dir, `dogs-${name}`), text)
  return `dogs-${name}`
}

test('from a checkpoint of other words each word keeps its row, a new one starts as all others did', async () => {
  const kernels = await builtModule('simd128')
  const { tensors, metadata } = loadNewest(runPaths(join(dir, 'first')).checkpoints)!
  const { data } = configOf('first', {}, 1)
  const [train, validation] = ['train.json', 'validation.json'].map((name) => join(dir, withDogs(name)))
  const config = { ...configOf('dogs', {}, 2), data: { ...data, train, validation } }
  const trainer = new Trainer(kernels, config, await loadTrainData(kernels, config))
  trainer.setFromCheckpoint({ tensors, metadata })
  const [before, now] = [tensors.get(TOKEN_TABLE)!, trainer.states().get(TOKEN_TABLE)!]
  assert.equal(now.shape, before.shape)
  const known = new VocabularyMap(tensors.get('vocabulary.kept')!.data as Int32Array)
  const C = trainer.model.channels
  const row = (table: ArrayLike<number>, at: number) => Array.from(table).slice(at * C, at * C + C)
  for (const word of ['green', 'yellow', 'circle', 'dog']) {
    for (const id of encodeText(word, { prefix: trainer.model.prefix, maxLength: 8 })) {
      const got = row(now.data, trainer.data.seen.row(id))
      assert.equal(got, row(before.data as Float32Array, known.row(id)), `${word}, ${id}`)
    }
  }
  const resumed = trainRun({ ...config, output: join(dir, 'first') }, { kernels, allowChangedConfig: true })
  const error = await resumed.catch((reason: unknown) => reason)
  assert.match(String(error), /step-00000004.*must hold the vocabulary of this run/)
})

test('an exported model tells of the run that its weights came from', async () => {
  const kernels = await builtModule('simd128')
  const first = loadNewest(runPaths(join(dir, 'first')).checkpoints)!
  const config = { ...configOf('told', {}, 2), steps: 2 }
  await trainRun(config, { kernels, init: { checkpoint: first, path: first.path } })
  // Resumed: what a run began with stays known.
  await trainRun({ ...config, steps: 3 }, { kernels, allowChangedConfig: true })
  const { path } = loadNewest(runPaths(join(dir, 'told')).checkpoints)!
  const { training } = readModelFile(await exportModel(path, { kernels })).manifest
  assert.is(training!.steps, 3)
  const { steps, seed } = training!.startedFrom as { steps: number; seed: number }
  assert.equal([steps, seed], [4, 1])
})

test('what only matching, memory and decoder use may be missing and starts anew', async () => {
  const kernels = await builtModule('simd128')
  const contrast = { ...configOf('contrast', {}, 2), losses: { itc: 1, itm: 0, text: 0, memory: 0, imageContrast: 0 } }
  await trainRun(contrast, { kernels })
  const { path } = loadNewest(runPaths(contrast.output).checkpoints)!
  const config = configOf('all', {}, 2)
  const data = await loadTrainData(kernels, config)
  // Memory belongs to one trainer.
  const fresh = async () => new Trainer(await builtModule('simd128'), config, data)
  const [whole, begun, fromModel] = [await fresh(), await fresh(), await fresh()]
  const anew = begun.setFromCheckpoint(readCheckpoint(path))
  assert.equal([...new Set(anew.map((name) => name.split('.')[0]))].sort(), [
    'decoder',
    'fusion',
    'itm',
    'memory',
    'text',
  ])
  assert.equal(fromModel.setParameters(readModelFile(await exportModel(path, { kernels }))), anew)
  const initial = whole.states()
  const trained = readCheckpoint(path).tensors
  for (const [name, { data: values }] of begun.states()) {
    if (!isParameter(name)) continue
    const want = (anew.includes(name) ? initial : trained).get(name)!.data
    assert.equal(Array.from(values as Float32Array), Array.from(want as Float32Array), name)
  }
})

test('a model of another architecture is refused by the name of the parameter', async () => {
  const kernels = await builtModule('simd128')
  const config = configOf('other', { stem: [], patch: 8 }, 2)
  const trainer = new Trainer(kernels, config, await loadTrainData(kernels, config))
  const file = readModelFile(await exported('with a stem', {}))
  const missing = /init model: must have the parameter vision.embeddings.patch_embeddings.projection.weight/
  assert.throws(() => trainer.setParameters(file), missing)
})

test.run()
