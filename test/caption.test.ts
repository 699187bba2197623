/**
 * Captions of a micro model through both public classes: the decoder that runs a token at a time against whole texts in
 * float64, however they are searched and read; memory, signals, and the same ids on every instruction set.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Builder } from '../src/graph/builder.ts'
import { BitGen as Core, type CaptionOptions, type Pixels } from '../src/core.ts'
import { BitGen } from '../src/index.ts'
import { encodeImageGraph } from '../src/model/bitgen.ts'
import { patches } from '../src/model/config.ts'
import { decode } from '../src/model/decoder.ts'
import { embedText, tokenTable } from '../src/model/text.ts'
import { matmul } from '../src/ops/matmul.ts'
import { Decoder } from '../src/runtime/decoder.ts'
import { decodeIds } from '../src/text/stream.ts'
import { EOS } from '../src/text/vocabulary.ts'
import { builtKernels } from './support/kernels.ts'
import { MICRO_CHANNELS, MICRO_IDS, MICRO_LENGTH, microModel, picture, RETRIEVAL } from './support/micro-model.ts'
import { Oracle } from './support/oracle.ts'
import { thrown } from './support/thrown.ts'

/** Pictures that are less alike than this are not taught: the noise of picture() is alike to 0.93. */
const SCOPE = { image: 0.9999, text: 0.5, code: 0.5 }
const bytes = await microModel({}, { scope: SCOPE })
const core = await Core.load(bytes)
const node = await BitGen.load(bytes)
const oracle = new Oracle(bytes)
const SIZE = oracle.config.image
const LONGEST = MICRO_LENGTH - 1

/** The picture that both models were taught, and others. */
const TAUGHT = picture(1, SIZE, SIZE)
const PICTURES = [TAUGHT, picture(2, SIZE, SIZE), picture(3, SIZE, SIZE)]
const TEXT = [EOS, ...MICRO_IDS.slice(3, 7), EOS]
await core.memory.write({ image: TAUGHT, label: 'thing', text: TEXT })
await node.memory.write({ image: TAUGHT, label: 'thing', text: 'a thing' })

/** Ways to search: untrained, the micro model says nothing in its greedy mode unless it reads from the memory. */
const WAYS: CaptionOptions[] = [
  {},
  { beams: 3 },
  { beams: 8, maxTokens: 6 },
  { temperature: 1, seed: 1 },
  { temperature: 1.5, topP: 0.8, seed: 2, maxTokens: 5 },
  { temperature: 1, seed: 3, memory: false },
]

async function read<Piece>(stream: AsyncIterable<Piece>): Promise<Piece[]> {
  const pieces: Piece[] = []
  for await (const piece of stream) pieces.push(piece)
  return pieces
}

/** Log-probability of chosen ids, from the decoder on the whole text in float64. */
async function logProbability(image: Pixels, ids: readonly number[], memory: boolean): Promise<number> {
  const { config, kept } = oracle
  const b = new Builder('whole')
  const x = embedText(b, config, b.input('ids', ['B', 'T'], 'i32'), null)
  const w = b.input('w', ['B', 1 + patches(config), MICRO_CHANNELS])
  const states = decode(b, config, x, w, b.input('read', ['B', MICRO_CHANNELS]), b.input('visible', ['B'], 'i32'))
  b.output('logits', matmul(b, states, tokenTable(b, config)))

  const encoded = oracle.run(encodeImageGraph(config), oracle.image(image.data), { B: 1 })
  const { image_features, vision_tokens, image_states } = encoded
  const [feature, tokens, patchStates] = [image_features, vision_tokens, image_states].map((x) => Float32Array.from(x))
  const z = memory ? core.memory.readFor({ feature, tokens, states: patchStates }) : null
  const rows = [EOS, ...ids].map((id) => kept.row(id))
  const feeds = {
    ids: rows.slice(0, -1),
    w: image_states,
    read: z ?? new Float32Array(MICRO_CHANNELS),
    visible: [1 + patches(config) + Number(z !== null)],
  }
  const { logits } = oracle.run(b.graph, feeds, { B: 1, T: ids.length })
  return ids.reduce((sum, _, t) => {
    // The last row stands for all ids without one of their own, and is never chosen.
    const scores = logits.subarray(t * kept.size, (t + 1) * kept.size - 1)
    const normaliser = Math.log(scores.reduce((total, score) => total + Math.exp(score), 0))
    return sum + scores[rows[t + 1]] - normaliser
  }, 0)
}

test('ids have the log-probability that the decoder gives them on the whole text, in float64', async () => {
  let longest = 0
  for (const image of PICTURES) {
    for (const options of WAYS) {
      const caption = await core.caption(image, options)
      const chosen = caption.finished ? [...caption.ids, EOS] : caption.ids
      const want = await logProbability(image, chosen, options.memory !== false)
      const error = Math.abs(caption.logProbability - want) / chosen.length
      // Rounding to int8 may fall to the other side in f32: up to 2e-4. A masked slot or a shifted position moves 1e-3.
      assert.ok(error < 5e-4, `${JSON.stringify(options)}: ${caption.logProbability}, must be ${want}`)
      longest = Math.max(longest, caption.ids.length)
    }
  }
  assert.is(longest, LONGEST)
})

test('hypotheses that are decoded together give the bits of each alone', () => {
  const session = core['loaded']
  const decoder = new Decoder(session.executor, session.encodeImage(TAUGHT).states, null)
  const { caches } = decoder.step([0], 0, [])
  // Three pasts of two tokens each, which differ in the second.
  const pasts = [5, 9, 13].map((id) => decoder.step([id], 1, caches).caches[0])
  const ids = [3, 30, 3]
  const together = decoder.step(ids, 2, pasts)
  ids.forEach((id, i) => {
    const alone = decoder.step([id], 2, [pasts[i]])
    assert.equal(together.logits.slice(i * alone.columns, (i + 1) * alone.columns), alone.logits)
    assert.equal(together.caches[i], alone.caches[0])
    assert.equal([...together.caches[i].values()][0].length, 3 * MICRO_CHANNELS)
  })
  assert.not.equal(together.caches[0], together.caches[2])
})

test('awaited or read in pieces, it is one caption: ids of the core, characters of the Node entry', async () => {
  let characters = 0
  for (const image of PICTURES) {
    for (const options of WAYS) {
      const ids = core.caption(image, options)
      assert.equal(await read(ids), (await ids).ids)
      assert.equal(await core.caption(image, options), await ids)
      assert.not('text' in (await ids))
      for (const id of (await ids).ids) assert.ok(MICRO_IDS.includes(id), `${id} has a row`)

      const text = node.caption(image, options)
      const pieces = await read(text)
      const caption = await text
      assert.is(pieces.join(''), caption.text)
      assert.not(pieces.includes(''))
      assert.is(caption.text, decodeIds(caption.ids, ' '))
      characters += caption.text.length
    }
  }
  assert.ok(characters > 100, `${characters} characters`)
})

test('a picture like one that was taught reads from the memory, others and on request do not', async () => {
  const fresh = await Core.load(bytes)
  const [taught, other] = PICTURES
  const plain = await fresh.caption(taught)
  assert.equal(await core.caption(taught, { memory: false }), plain)
  assert.not.equal(await core.caption(taught), plain)
  assert.equal(await core.caption(other), await fresh.caption(other))
  const [{ id }] = core.memory.list()
  await fresh.memory.write({ image: taught, label: 'thing', text: TEXT, id })
  assert.equal(await fresh.caption(taught), await core.caption(taught))
  fresh.memory.forget(id)
  assert.equal(await fresh.caption(taught), plain)
})

test('an abort ends a caption before, between and at its last piece, and the model goes on', async () => {
  const options = { temperature: 1, seed: 1 }
  const whole = await core.caption(TAUGHT, options)
  const early = core.caption(TAUGHT, { ...options, signal: AbortSignal.abort(new Error('enough')) })
  assert.is(await thrown(() => early), 'Error: enough')
  for (const stopAt of [1, 4]) {
    const controller = new AbortController()
    const caption = core.caption(TAUGHT, { ...options, signal: controller.signal })
    const seen: number[] = []
    const reading = (async () => {
      for await (const id of caption) if (seen.push(id) === stopAt) controller.abort(new Error('enough'))
    })()
    assert.is(await thrown(() => reading), 'Error: enough')
    assert.is(await thrown(() => caption), 'Error: enough')
    assert.equal(seen, whole.ids.slice(0, stopAt))
  }
  assert.equal(await core.caption(TAUGHT, options), whole)
})

test('captions that are read in turns, with other calls between, are those of captions alone', async () => {
  const ways: CaptionOptions[] = [{ temperature: 1, seed: 5 }, {}, { beams: 4 }, { temperature: 1, seed: 6 }]
  const alone: unknown[] = []
  for (const [i, options] of ways.entries()) alone.push(await core.caption(PICTURES[i % 3], options))
  const captions = ways.map((options, i) => core.caption(PICTURES[i % 3], options))
  const others = async () => {
    for (let i = 0; i < 10; i++) {
      await core.match(PICTURES[2], TEXT)
      await core.embedText([TEXT, TEXT])
    }
  }
  const [together] = await Promise.all([Promise.all(captions.map((caption) => caption)), others()])
  assert.equal(together, alone)
})

test('the same ids on every instruction set', async () => {
  for (const { manifest } of await builtKernels()) {
    const other = await Core.load(bytes, { target: manifest.isa })
    await other.memory.write({ image: TAUGHT, label: 'thing', text: TEXT })
    for (const image of PICTURES) {
      for (const options of WAYS) {
        assert.equal(await other.caption(image, options), await core.caption(image, options), manifest.isa)
      }
    }
  }
})

test('memory stays flat over 200 captions', async () => {
  const { buffer } = core['loaded'].executor.kernels.memory
  const before = buffer.byteLength
  for (let i = 0; i < 200; i++) await core.caption(PICTURES[i % 3], WAYS[i % WAYS.length])
  assert.is(core['loaded'].executor.kernels.memory.buffer, buffer)
  assert.is(buffer.byteLength, before)
})

/** What is wrong, and the whole message. */
const WRONG: [options: CaptionOptions, error: RegExp][] = [
  [{ maxTokens: LONGEST + 1 }, /^RangeError: caption: maxTokens must be at most 11, got 12$/],
  [{ maxTokens: 0 }, /^RangeError: caption: maxTokens must be a whole number from 1, got 0$/],
  [{ beams: 9 }, /^RangeError: caption: beams must be at most 8, got 9$/],
  [{ beams: 2, temperature: 1 }, /^RangeError: caption: beams above 1 need temperature 0, got 1$/],
  [{ temperature: -1 }, /^RangeError: caption: temperature must be a finite number from 0, got -1$/],
  [{ topP: 0 }, /^RangeError: caption: topP must be above 0 and at most 1, got 0$/],
  [{ seed: 1.5 }, /^RangeError: caption: seed must be a whole number/],
]

for (const [options, error] of WRONG) {
  test(`one clear error: ${JSON.stringify(options)}`, async () => {
    assert.match(await thrown(() => core.caption(TAUGHT, options)), error)
    assert.match(await thrown(() => read(core.caption(TAUGHT, options))), error)
  })
}

test('a picture that is none fails the caption', async () => {
  assert.match(await thrown(() => core.caption(undefined as never)), /^TypeError: image: must be \{ data/)
  assert.match(await thrown(() => node.caption('no/such.png')), /^Error: no\/such.png: must be a readable file/)
})

test('a model that was not trained to caption says so, one that was disposed of too', async () => {
  const mute = await Core.load(await microModel(RETRIEVAL))
  const error = 'RangeError: caption: must be asked of a model that was trained to caption'
  assert.is(await thrown(() => mute.caption(TAUGHT)), error)
  assert.is((await mute.embedImage(TAUGHT)).shape[1], MICRO_CHANNELS)
  // Of the losses, text alone makes a decoder.
  const speaking = await Core.load(await microModel({ itm: 0, memory: 0 }))
  assert.equal(await speaking.caption(TAUGHT), await core.caption(TAUGHT, { memory: false }))
  speaking.dispose()
  assert.is(await thrown(() => speaking.caption(TAUGHT)), 'RangeError: model: must not be used after dispose()')
})

test.run()
