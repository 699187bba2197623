/**
 * What a run is given: configurations, sets of captions and pictures that it refuses, each with one clear error, and
 * bad pictures that it does without.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { errorText } from '../src/base/errors.ts'
import { readTrainConfig, trainConfig } from '../src/train/config.ts'
import { loadTrainData } from '../src/train/data.ts'
import { builtModule } from './support/kernels.ts'
import { shapeConfig, shapesFolder, type ShapeSet } from './support/shapes.ts'

const dir = await shapesFolder()

const kernels = await builtModule('scalar')
const configOf = (overrides: Record<string, unknown> = {}) => trainConfig(shapeConfig(overrides), dir)
const readSet = (name: string) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as ShapeSet

function writeSet(name: string, set: unknown): string {
  writeFileSync(join(dir, name), JSON.stringify(set))
  return name
}

test('paths are taken relative to the configuration, defaults are filled in', () => {
  const config = configOf()
  assert.is(config.data.train, join(dir, 'train.json'))
  assert.is(config.output, join(dir, 'run'))
  assert.equal([config.weightDecay, config.clip, config.augmentation!.rotation], [0.02, 1, 0.2])
  assert.equal([config.model.vision.depth, config.model.image, config.model.textPool], [1, 32, 'mean'])
})

test('a configuration that does not hold is refused by the name of its key', () => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ stepz: 3 }, /^config: .*stepz/],
    [{ steps: undefined }, /^config: steps: /],
    [{ steps: 'many' }, /^config: steps: .*"many"/],
    [{ steps: 0 }, /^config: steps: /],
    [{ rate: -1 }, /^config: rate: /],
    [{ batch: 1.5 }, /^config: batch: /],
    [{ batch: 7 }, /^config: batch: must be even where losses.imageContrast .*, got 7/],
    [{ seed: 2 ** 32 }, /^config: seed: .*4294967295/],
    [{ data: { images: 'images' } }, /^config: data.train: /],
    [{ negatives: 'queue', queue: 0 }, /^config: negatives: of the queue need a queue/],
    [{ schedule: 'cosine' }, /^config: schedule: /],
    [
      { model: { preset: 'nano', vision: 'vit-huge' } },
      /^config: model.vision.tower: must be one of vit-nano, .*got "vit-huge"/,
    ],
    [{ augmentation: { size: [2, 1] } }, /^config: augmentation.size: must be \[low, high\]/],
    [{ augmentation: { size: [0, 1] } }, /^config: augmentation.size: must be above 0/],
    [{ augmentation: { blur: 1 } }, /^config: .*blur/],
    [{ name: 'a b' }, /^config: name: must be letters, digits, dots and dashes/],
    [{ model: { preset: 'huge' } }, /^config: model.preset: /],
    [{ model: { preset: 'nano', imagge: 3 } }, /^config: model: must not have an unknown key.*got "imagge"/],
    [{ model: { preset: 'nano', image: '32' } }, /^config: model.image: must be of the kind of 64, got "32"/],
    [{ model: { preset: 'nano', image: 33 } }, /^config: model.image: must be a multiple of 16 pixels, got 33/],
  ]
  for (const [overrides, message] of cases) {
    try {
      configOf(overrides)
      assert.unreachable(`${JSON.stringify(overrides)} must be refused`)
    } catch (error) {
      assert.match(errorText(error), message)
    }
  }
})

test('a configuration file is named where it cannot be read', () => {
  const missing = join(dir, 'missing.json')
  assert.throws(
    () => readTrainConfig(missing),
    (error: Error) => error.message.startsWith(`${missing}: must be a`),
  )
  writeFileSync(join(dir, 'cut.json'), '{"name": "x"')
  assert.throws(() => readTrainConfig(join(dir, 'cut.json')), /cut.json: must be a readable JSON file, got .*JSON/)
  writeFileSync(join(dir, 'good.json'), JSON.stringify(shapeConfig({ name: 3 })))
  assert.throws(() => readTrainConfig(join(dir, 'good.json')), /good.json: name: /)
})

test('data that cannot be trained on is refused', async () => {
  const data = shapeConfig().data
  const empty = writeSet('empty.json', { images: [], annotations: [] })
  const gone = readSet('train.json')
  gone.images[5].file_name = '0/gone.png'
  const twice = readSet('train.json')
  for (const image of twice.images) image.file_name = image.file_name.replace(/^1/, '0')
  const shared = { images: data.images, train: writeSet('twice.json', twice), validationShare: 0.5 }
  const cases: [Record<string, unknown>, RegExp][] = [
    [shared, /twice.json: must list a file once where a share is held back, got ".*png"/],
    [{ ...data, train: empty }, /empty.json: must have an image with a caption/],
    [{ ...data, validation: empty }, /empty.json: must have an image with a caption/],
    [{ ...data, train: 'nowhere.json' }, /nowhere.json: must be a readable JSON file/],
    [{ ...data, train: writeSet('gone.json', gone) }, /1 of 32 pictures are missing, the first is ".*gone.png"/],
    [{ ...data, validation: 'train.json' }, /train.json: must have no image of the training set, got ".*png"/],
    [{ ...data, manifest: 'nowhere.json' }, /nowhere.json: must be a readable data manifest/],
  ]
  for (const [given, message] of cases) {
    const error = await loadTrainData(kernels, configOf({ data: given })).catch((reason: unknown) => reason)
    assert.match(errorText(error), message)
  }
})

/** Seven copies of the first style to train on: enough pictures for one bad one to be below the share allowed. */
function manyCopies(): ShapeSet {
  const { images } = readSet('train.json')
  const set: ShapeSet = { images: [], annotations: [] }
  for (let copy = 0; copy < 7; copy++) {
    mkdirSync(join(dir, 'images', `copy${copy}`), { recursive: true })
    for (const image of images.slice(0, 16)) {
      const id = 1000 * (copy + 1) + image.id
      const file_name = image.file_name.replace(/^0/, `copy${copy}`)
      copyFileSync(join(dir, 'images', image.file_name), join(dir, 'images', file_name))
      set.images.push({ ...image, id, file_name })
      set.annotations.push({ id, image_id: id, caption: `${image.concept} ${copy}` })
    }
  }
  return set
}

test('the captions of a bad picture go with it, and come with the one in its place', async () => {
  const set = manyCopies()
  const bad = 37
  writeFileSync(join(dir, 'images', set.images[bad].file_name), 'no picture')
  const config = configOf({ output: 'bad', data: { ...shapeConfig().data, train: writeSet('many.json', set) } })
  const { train, samples, validation } = await loadTrainData(kernels, config)
  assert.is(train.images.length, 112)
  assert.is(train.images[bad].id, set.images[bad + 1].id)
  assert.equal(samples[bad], samples[bad + 1])
  assert.equal(samples[bad].captions, [set.annotations[bad + 1].caption])
  assert.equal(train.pixels(bad), train.pixels(bad + 1))
  assert.not.equal(train.pixels(bad), train.pixels(bad - 1))
  assert.is(validation.images.length, 16)
  const [line, ...rest] = readFileSync(join(config.output, 'quarantine.jsonl'), 'utf8').trim().split('\n')
  assert.equal([JSON.parse(line).id, rest], [set.images[bad].id, []])

  writeFileSync(join(dir, 'images', set.images[90].file_name), 'no picture either')
  const error = await loadTrainData(kernels, config).catch((reason: unknown) => reason)
  assert.match(errorText(error), /Quarantine: 2 of 128 pictures cannot be read, see .*quarantine.jsonl/)
})

test('a bad validation picture is left out, so that none is asked for twice', async () => {
  const train = writeSet('many.json', manyCopies())
  const { images } = readSet('validation.json')
  const bad = join(dir, 'images', images[15].file_name)
  const bytes = readFileSync(bad)
  writeFileSync(bad, bytes.subarray(0, 60))
  const config = configOf({ output: 'held', data: { ...shapeConfig().data, train } })
  const { validation, sha256 } = await loadTrainData(kernels, config)
  assert.equal(
    validation.images.map(({ id }) => id),
    images.slice(0, 15).map(({ id }) => id),
  )
  writeFileSync(bad, bytes)
  const whole = await loadTrainData(kernels, { ...config, output: join(dir, 'held again') })
  assert.equal(whole.validation.pixels(14), validation.pixels(14))
  assert.is.not(whole.sha256, sha256)
})

test.run()
