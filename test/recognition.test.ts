/**
 * Matching and the memory of a micro model through both public classes: against float64 arithmetic on the same file,
 * taught and recalled by image, text and both, forgotten, kept in a file; the same bits on every instruction set.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BitGen as Core } from '../src/core.ts'
import { BitGen } from '../src/index.ts'
import { readModelFile } from '../src/io/model-file.ts'
import { encodeImageGraph, encodeTextGraph, fuseGraph } from '../src/model/bitgen.ts'
import { encodeText } from '../src/text/tokenizer.ts'
import { EOS } from '../src/text/vocabulary.ts'
import { builtKernels } from './support/kernels.ts'
import { MICRO_CHANNELS, MICRO_IDS, microModel, picture, RETRIEVAL } from './support/micro-model.ts'
import { Oracle } from './support/oracle.ts'
import { thrown } from './support/thrown.ts'

/** The noise of picture() is alike to 0.93. */
const SCOPE = { image: 0.9999, text: 0.9999, code: 0.9999 }
const bytes = await microModel({}, { scope: SCOPE })
const core = await Core.load(bytes)
const SIZE = new Oracle(bytes).config.image
const PICTURES = Array.from({ length: 4 }, (_, i) => picture(i, SIZE, SIZE))
/** Texts of 3 to 9 ids. */
const TEXTS = PICTURES.map((_, i) => [EOS, ...MICRO_IDS.slice(5 * i, 7 * i + 1), EOS])

/** Teaches pictures under their own numbers. */
async function teach(model: Core, ...numbers: number[]): Promise<void> {
  for (const n of numbers) await model.memory.write({ image: PICTURES[n], label: `thing ${n}`, text: TEXTS[n] })
}

for (const matchSimilarity of [true, false]) {
  const head = matchSimilarity ? 'that reads the similarity' : 'as published'
  test(`with a head ${head}, matches and fused states are those of float64 arithmetic on the file`, async () => {
    const file = await microModel({}, { matchSimilarity })
    const [model, expected] = [await Core.load(file), new Oracle(file)]
    const { config } = expected
    for (const [n, text] of TEXTS.entries()) {
      const symbols = { B: 1, T: text.length }
      const encoded = {
        ...expected.run(encodeTextGraph(config), expected.text(text), symbols),
        ...expected.run(encodeImageGraph(config), expected.image(PICTURES[n].data), { B: 1 }),
      }
      const want = expected.run(fuseGraph(config), { ...encoded, lengths: [text.length] }, symbols)
      const [no, yes] = want.match_logits
      const [probability] = await model.match(PICTURES[n], text)
      // Activations round to int8; one that falls to the other side in f32 moves the result by a fraction of a percent.
      // The logits count with one match in three, a probability with one in two.
      const evenOdds = 1 / (1 + Math.exp(no - yes) / 2)
      assert.ok(Math.abs(probability - evenOdds) < 2e-3, `text ${n}: ${probability} for ${evenOdds}`)
      const { embeddings } = await model.forward({ inputIds: text, image: PICTURES[n] })
      assert.equal(embeddings.shape, [1, text.length, MICRO_CHANNELS])
      const far = embeddings.data.filter((x, i) => Math.abs(x - want.embeddings[i]) > 0.05)
      assert.is(far.length, 0, `text ${n}: ${far.length} of ${embeddings.data.length} states`)
    }
  })
}

test('a match is a probability for each text, whatever else is asked', async () => {
  const together = await core.match(PICTURES[0], TEXTS)
  assert.is(together.length, TEXTS.length)
  for (const [i, text] of TEXTS.entries()) {
    assert.ok(together[i] > 0 && together[i] < 1)
    assert.equal(await core.match(PICTURES[0], text), [together[i]])
  }
  assert.is(new Set(together).size, TEXTS.length, 'texts must differ')
  assert.not.equal(await core.match(PICTURES[1], TEXTS[0]), [together[0]])
  assert.equal(await core.match(PICTURES[0], []), [])
  assert.match(
    await thrown(() => core.match([PICTURES[0]] as never, TEXTS)),
    /^TypeError: match: must be given one image/,
  )
  const node = await BitGen.load(bytes)
  const ids = encodeText('a thing', node.info().manifest)
  assert.equal(await node.match(PICTURES[0], 'a thing'), await core.match(PICTURES[0], ids))
})

test('what was taught is recalled by its image, its text and both, and is in scope; others are not', async () => {
  const model = await Core.load(bytes)
  assert.is(await model.memory.recall({ image: PICTURES[0] }), null)
  await teach(model, 0, 1, 2)
  for (const n of [0, 1, 2]) {
    for (const query of [{ image: PICTURES[n] }, { text: TEXTS[n] }, { image: PICTURES[n], text: TEXTS[n] }]) {
      const { similarity, ...rest } = (await model.memory.recall(query))!
      assert.equal(rest, { id: String(n + 1), label: `thing ${n}`, inScope: true })
      assert.ok(similarity > 0.99999)
    }
  }
  for (const query of [{ image: PICTURES[3] }, { text: TEXTS[3] }, { image: PICTURES[3], text: TEXTS[3] }]) {
    assert.is((await model.memory.recall(query))!.inScope, false)
  }
})

test('pictures are compared by their features and by the states of their patches, half and half', async () => {
  const model = await Core.load(bytes)
  await teach(model, 0)
  const expected = new Oracle(bytes)
  const [a, b] = [0, 1].map((n) => {
    return expected.run(encodeImageGraph(expected.config), expected.image(PICTURES[n].data), { B: 1 })
  })
  const cosine = (x: ArrayLike<number>, y: ArrayLike<number>) => {
    const dot = (p: ArrayLike<number>, q: ArrayLike<number>) =>
      Array.from(p).reduce((sum, one, i) => sum + one * q[i], 0)
    return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y))
  }
  // The micro model has 2 x 2 patches, a cell each, behind the class token.
  const patches = ({ image_states }: typeof a) => Array.from(image_states).slice(MICRO_CHANNELS)
  const want = (cosine(a.image_features, b.image_features) + cosine(patches(a), patches(b))) / 2
  const { similarity } = (await model.memory.recall({ image: PICTURES[1] }))!
  assert.ok(Math.abs(similarity - want) < 1e-3, `${similarity} for ${want}`)
})

test('where no thresholds were measured everything is in scope', async () => {
  const model = await Core.load(await microModel())
  await teach(model, 0)
  assert.is((await model.memory.recall({ text: TEXTS[3] }))!.inScope, true)
})

test('what is forgotten is gone; what stays is told, kept in a file, and taken from one', async () => {
  const model = await Core.load(bytes)
  await teach(model, 0, 1, 2)
  model.memory.forget('2')
  assert.throws(() => model.memory.forget('2'), /memory: must have an entry of this id, got "2"/)
  const left = [
    { id: '1', label: 'thing 0' },
    { id: '3', label: 'thing 2' },
  ]
  assert.equal(model.memory.list(), left)
  assert.not.equal((await model.memory.recall({ image: PICTURES[1] }))!.label, 'thing 1')
  const file = model.memory.save()

  const node = await BitGen.load(bytes)
  await node.memory.write({ image: PICTURES[1], label: 'another' })
  const { memory } = node
  assert.throws(() => memory.load(file.subarray(1)), /safetensors/)
  assert.equal(memory.list(), [{ id: '1', label: 'another' }])
  memory.load(file)
  assert.equal(memory.list(), left)
  assert.equal(memory.save(), file)
  assert.equal(await memory.recall({ image: PICTURES[2] }), await model.memory.recall({ image: PICTURES[2] }))
  assert.equal(await memory.write({ image: PICTURES[1], label: 'again' }), { id: '4' })
})

test('of the Node entry a label is a text, of the core it is none', async () => {
  const node = await BitGen.load(bytes)
  await node.memory.write({ image: PICTURES[0], label: 'a thing' })
  await node.memory.write({ image: PICTURES[1], label: 'another', text: 'some words', id: 'own' })
  const ids = (text: string) => encodeText(text, node.info().manifest)
  const model = await Core.load(bytes)
  await model.memory.write({ image: PICTURES[0], label: 'a thing', text: ids('a thing') })
  await model.memory.write({ image: PICTURES[1], label: 'another', text: ids('some words'), id: 'own' })
  assert.equal(model.memory.save(), node.memory.save())
  const untold = await thrown(() => model.memory.write({ image: PICTURES[0], label: 'a thing' }))
  assert.is(untold, 'RangeError: memory.write: must be given a text')
  assert.is(model.memory.list().length, 2)
})

test('wrong lessons and queries are refused, and nothing is remembered of them', async () => {
  const model = await Core.load(bytes)
  await teach(model, 0)
  const lesson = { image: PICTURES[1], label: 'one', text: TEXTS[1] }
  const none = undefined as never
  for (const [call, error] of [
    [() => model.memory.write({ ...lesson, id: '1' }), /^RangeError: memory: must not have this id yet, got "1"$/],
    [() => model.memory.write({ ...lesson, label: none }), /^TypeError: memory: id and label must be strings/],
    [() => model.memory.write({ ...lesson, image: none }), /^TypeError: image: must be \{ data/],
    [() => model.memory.write({ ...lesson, text: [EOS, -1] }), /^RangeError: inputIds: must be whole numbers/],
    [() => model.memory.recall({}), /^RangeError: memory.recall: must be given an image or a text$/],
  ] as [() => unknown, RegExp][]) {
    assert.match(await thrown(call), error)
  }
  assert.equal(model.memory.list(), [{ id: '1', label: 'thing 0' }])
})

test('the same bits on every instruction set', async () => {
  const all = async (model: Core) => {
    await teach(model, 0, 1, 2, 3)
    const { embeddings } = await model.forward({ inputIds: TEXTS[2], image: PICTURES[1] })
    return [await model.match(PICTURES[1], TEXTS), model.memory.save(), embeddings]
  }
  const expected = await all(await Core.load(bytes))
  for (const { manifest } of await builtKernels()) {
    assert.equal(await all(await Core.load(bytes, { target: manifest.isa })), expected, manifest.isa)
  }
})

test('a model that was trained for retrieval alone says so, and embeds as the whole one does', async () => {
  const model = await Core.load(await microModel(RETRIEVAL))
  const matching = 'RangeError: match: must be asked of a model that was trained to match'
  assert.is(await thrown(() => model.match(PICTURES[0], TEXTS)), matching)
  const remembering = 'RangeError: memory: must be asked of a model that was trained with one'
  assert.is(await thrown(() => model.memory), remembering)
  assert.equal(await model.similarity(PICTURES[0], TEXTS), await core.similarity(PICTURES[0], TEXTS))
  const input = { inputIds: TEXTS[1], image: PICTURES[1], returnContrastiveFeatures: true }
  const [alone, whole] = [await model.forward(input), await core.forward(input)]
  assert.equal(alone.contrastiveFeatures, whole.contrastiveFeatures)
  assert.equal(alone.embeddings.shape, whole.embeddings.shape)
  assert.not.equal(alone.embeddings.data, whole.embeddings.data)
})

test('a memory comes with matching, where texts or its own loss trained it', async () => {
  const count = async (losses: Parameters<typeof microModel>[0]) => {
    const file = await microModel(losses)
    const model = await Core.load(file)
    const { memory = 0, itm = 0, decoder = 0, fusion, total } = model.info().parameters
    const parts = [memory, itm, decoder].map((n) => n > 0)
    return { parts, fusion, total, hasMemory: readModelFile(file).prior !== undefined }
  }
  const whole = await count({})
  assert.equal([whole.parts, whole.hasMemory], [[true, true, true], true])
  assert.is((await count({ text: 0 })).hasMemory, true)
  assert.is((await count({ memory: 0 })).hasMemory, true)
  assert.is((await count({ text: 0, memory: 0 })).hasMemory, false)
  const retrieval = await count(RETRIEVAL)
  assert.equal([retrieval.parts, retrieval.hasMemory], [[false, false, false], false])
  assert.ok(retrieval.fusion < whole.fusion && retrieval.total < whole.total)
})

test('after dispose the memory is gone', async () => {
  const model = await Core.load(bytes)
  await teach(model, 0)
  model.dispose()
  assert.is(await thrown(() => model.memory), 'RangeError: model: must not be used after dispose()')
  assert.is(await thrown(() => model.match(PICTURES[0], TEXTS)), 'RangeError: model: must not be used after dispose()')
})

test.run()
