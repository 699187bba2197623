/**
 * The public classes on a micro model: against float64 arithmetic on the same file, the same bits whatever the batch,
 * the order of calls and the instruction set, memory that stays where it is. Errors are in session-errors.test.ts.
 */
import sharp from 'sharp'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BitGen as Core } from '../src/core.ts'
import { BitGen } from '../src/index.ts'
import { encodeImageGraph, encodeTextGraph } from '../src/model/bitgen.ts'
import { encodeText } from '../src/text/tokenizer.ts'
import { EOS } from '../src/text/vocabulary.ts'
import { builtKernels } from './support/kernels.ts'
import { MICRO_CHANNELS, MICRO_IDS, MICRO_LENGTH, microModel, picture } from './support/micro-model.ts'
import { Oracle } from './support/oracle.ts'
import { thrown } from './support/thrown.ts'

const bytes = await microModel()
const model = await Core.load(bytes)
const C = MICRO_CHANNELS
const usable = (await builtKernels()).map(({ manifest }) => manifest.isa)

/** Texts of 1 to all tokens, of ids that the model keeps and others. */
const TEXTS = Array.from({ length: 21 }, (_, i) => {
  const words = Array.from({ length: (i * 5) % (MICRO_LENGTH - 1) }, (_, k) =>
    k % 3 ? MICRO_IDS[(i * k) % 40] : 11 * i + k,
  )
  return i === 20 ? [EOS] : [EOS, ...words]
})
const PICTURES = Array.from({ length: 11 }, (_, i) => picture(i, 20 + 7 * i, 33, i % 2 ? 3 : 4))

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0)
}

test('vectors are those of float64 arithmetic on the weights of the file', async () => {
  const oracle = new Oracle(bytes)
  const text = TEXTS[7]
  const expected = oracle.run(encodeTextGraph(oracle.config), oracle.text(text), { B: 1, T: text.length })
  const { data } = await model.embedText(text)
  // Activations round to int8: one that falls to the other side in f32 moves the result by a fraction of a percent.
  assert.ok(dot(data, expected.text_features) > 0.999, `texts: ${dot(data, expected.text_features)}`)

  const square = picture(3, oracle.config.image, oracle.config.image)
  const { image_features } = oracle.run(encodeImageGraph(oracle.config), oracle.image(square.data), { B: 1 })
  const image = (await model.embedImage(square)).data
  assert.ok(dot(image, image_features) > 0.999, `images: ${dot(image, image_features)}`)
})

test('the card: states of the text, both vectors on request', async () => {
  const [inputIds, image] = [TEXTS[4], PICTURES[1]]
  const plain = await model.forward({ inputIds, image })
  assert.equal(plain.embeddings.shape, [1, inputIds.length, C])
  assert.is(plain.embeddings.data.length, inputIds.length * C)
  assert.is(plain.contrastiveFeatures, undefined)
  assert.ok(Math.abs(plain.temperature - 0.0821) < 1e-4)
  const { contrastiveFeatures, embeddings } = await model.forward({ inputIds, image, returnContrastiveFeatures: true })
  assert.equal(embeddings, plain.embeddings)
  const { textFeatures, imageFeatures } = contrastiveFeatures!
  assert.equal(
    [textFeatures.shape, imageFeatures.shape],
    [
      [1, C],
      [1, C],
    ],
  )
  assert.equal(textFeatures, await model.embedText(inputIds))
  assert.equal(imageFeatures, await model.embedImage(image))
})

test('vectors have length 1, and similarity is their dot product', async () => {
  const texts = await model.embedText(TEXTS)
  const { data: image } = await model.embedImage(PICTURES[2])
  const similarity = await model.similarity(PICTURES[2], TEXTS)
  assert.is(similarity.length, TEXTS.length)
  similarity.forEach((score, i) => {
    const row = texts.data.subarray(i * C, i * C + C)
    assert.ok(Math.abs(dot(row, row) - 1) < 1e-5)
    assert.ok(Math.abs(score - dot(row, image)) < 1e-6)
  })
  assert.ok(Math.max(...similarity) - Math.min(...similarity) > 1e-3, 'texts must differ')
})

test('what else is in a batch changes no bit: padding, order, more than run at once', async () => {
  const together = await model.embedText(TEXTS)
  assert.equal(together.shape, [TEXTS.length, C])
  for (const [i, text] of TEXTS.entries()) {
    assert.equal((await model.embedText(text)).data, together.data.slice(i * C, i * C + C), `text ${i}`)
  }
  const images = await model.embedImage(PICTURES)
  assert.equal(images.shape, [PICTURES.length, C])
  for (const [i, one] of PICTURES.entries()) {
    assert.equal((await model.embedImage(one)).data, images.data.slice(i * C, i * C + C), `picture ${i}`)
  }
  assert.equal((await model.embedImage([])).shape, [0, C])
})

test('the same bits on every instruction set', async () => {
  const expected = [await model.embedText(TEXTS), await model.embedImage(PICTURES)]
  for (const target of usable) {
    const other = await Core.load(bytes, { target })
    assert.is(other.info().isa, target)
    assert.equal([await other.embedText(TEXTS), await other.embedImage(PICTURES)], expected, target)
  }
})

test('both entry points give the same vectors of the same picture and text', async () => {
  const node = await BitGen.load(bytes)
  const { manifest } = node.info()
  assert.equal(await node.embedText('a cat'), await model.embedText(encodeText('a cat', manifest)))
  const pixels = picture(5)
  const { width, height } = pixels
  const png = await sharp(Uint8Array.from(pixels.data), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
  assert.equal(await node.embedImage(png), await model.embedImage(pixels))
  assert.equal(await node.similarity(pixels, 'a cat'), await node.similarity(png, ['a cat']))
})

test('calls that overlap give the answers of calls in turn', async () => {
  const node = await BitGen.load(bytes)
  const { width, height, data } = picture(6)
  const png = await sharp(Uint8Array.from(data), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
  const calls = [
    () => node.embedImage([png, ...PICTURES, png]),
    () => node.embedText(['one', 'a long text of many words', 'two']),
    () => node.forward({ inputIds: TEXTS[3], image: png, returnContrastiveFeatures: true }),
    () => node.embedImage(PICTURES[4]),
    () => node.forward({ inputIds: TEXTS[8], image: PICTURES[0] }),
  ]
  const inTurn: unknown[] = []
  for (const call of calls) inTurn.push(await call())
  assert.equal(await Promise.all(calls.map((call) => call())), inTurn)
})

test('memory stays flat over 2,000 calls, and below its limit', async () => {
  const one = await Core.load(bytes, { maxMemory: 2 ** 20 })
  const run = async (calls: number) => {
    for (let i = 0; i < calls; i++) await (i % 2 ? one.embedText(TEXTS[i % 20]) : one.embedImage(PICTURES[i % 11]))
  }
  const memory = () => one['loaded'].executor.kernels.memory.buffer.byteLength
  await run(100)
  const before = memory()
  await run(2000)
  assert.is(memory(), before)
  assert.ok(before <= 2 ** 20)
  const large = picture(1, 700, 700)
  assert.match(
    await thrown(() => one.embedImage(large)),
    /^RangeError: memory: must stay within 1048576 bytes, got \d+$/,
  )
  await run(10)
})

test.run()
