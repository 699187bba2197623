/**
 * Wrong inputs to the public classes, and sources that are no model: one error each that names what must hold, after
 * which the model goes on as before.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BitGen as Core } from '../src/core.ts'
import { BitGen } from '../src/index.ts'
import { EOS, VOCABULARY } from '../src/text/vocabulary.ts'
import { microModel } from './support/micro-model.ts'
import { thrown } from './support/thrown.ts'

const bytes = await microModel()
const model = await Core.load(bytes)
const TEXT = [EOS, 7, 200]

const RED = { data: new Uint8Array(12), width: 2, height: 2, channels: 3 as const }
const none = undefined as never

/** What is wrong, the call, and the whole message. */
const WRONG: [title: string, call: (core: Core) => unknown, error: RegExp][] = [
  ['id', (m) => m.embedText([EOS, VOCABULARY]), /^RangeError: inputIds: must be whole numbers .* 50256, got 50257$/],
  ['negative id', (m) => m.embedText([-1]), /^RangeError: inputIds: must be whole numbers .* got -1$/],
  ['fractional id', (m) => m.embedText([1.5]), /^RangeError: inputIds: must be whole numbers .* got 1.5$/],
  ['one id of many texts', (m) => m.embedText([[EOS], [NaN]]), /^RangeError: inputIds: must be whole numbers/],
  ['no ids', (m) => m.embedText([[]]), /^RangeError: inputIds: must have 1 to 12 ids, got 0$/],
  ['too many ids', (m) => m.embedText(new Array(13).fill(1)), /^RangeError: inputIds: must have 1 to 12 ids, got 13$/],
  [
    'a string for ids',
    (m) => m.embedText('a cat' as never),
    /^TypeError: inputIds: must be an array of ids, got "a cat"/,
  ],
  [
    'nothing for ids',
    (m) => m.forward({ inputIds: none, image: RED }),
    /^TypeError: inputIds: must be an array of ids/,
  ],
  ['no image', (m) => m.embedImage(none), /^TypeError: image: must be \{ data, width, height \}/],
  ['no data', (m) => m.embedImage({ ...RED, data: none }), /^TypeError: image: data must be a Uint8Array/],
  [
    'too few pixels',
    (m) => m.embedImage({ ...RED, height: 3 }),
    /^RangeError: image: data must have 2 x 3 x 3 bytes, got 12$/,
  ],
  [
    'no height',
    (m) => m.embedImage({ ...RED, height: 0 }),
    /^RangeError: image: height must be a whole number above 0/,
  ],
  [
    'five channels',
    (m) => m.embedImage({ ...RED, channels: 5 as 3 }),
    /^RangeError: image: channels must be 3 or 4, got 5$/,
  ],
  ['several images', (m) => m.similarity([RED, RED] as never, [1]), /^TypeError: similarity: must be given one image/],
]

for (const [title, call, error] of WRONG) {
  test(`one clear error, and life goes on: ${title}`, async () => {
    const { data } = await model.embedText(TEXT)
    assert.match(await thrown(() => call(model)), error)
    assert.equal((await model.embedText(TEXT)).data, data)
  })
}

test('a text that is no text and a picture that is none are named', async () => {
  const node = await BitGen.load(bytes)
  assert.match(await thrown(() => node.embedText(7 as never)), /^TypeError: tokenizer: text must be a string, got 7$/)
  assert.match(await thrown(() => node.embedImage('no/such.png')), /^Error: no\/such.png: must be a readable file/)
  assert.match(await thrown(() => node.embedImage(Uint8Array.of(1, 2, 3))), /^Error: decodeImage: image bytes: /)
})

test('after dispose every call says so', async () => {
  const gone = await Core.load(bytes)
  gone.dispose()
  gone.dispose()
  for (const call of [() => gone.embedText([1]), () => gone.embedImage(RED), () => gone.info()]) {
    assert.match(await thrown(call), /^RangeError: model: must not be used after dispose\(\)$/)
  }
})

test('what cannot be loaded says where and why', async () => {
  const load = (source: unknown, options = {}) => thrown(() => BitGen.load(source as string, options))
  assert.match(await load('no/such/model'), /^Error: no\/such\/model: must be a readable file, got "ENOENT/)
  assert.match(await load('http://127.0.0.1:1/model'), /^Error: http:\/\/127.0.0.1:1\/model: must be reachable/)
  assert.match(await load(new Response('', { status: 404 })), /^Error: response: must answer with the file, got 404$/)
  const read = new Response('read')
  await read.text()
  assert.match(await load(read), /^Error: response: must have a body that nobody has read$/)
  assert.match(await load(7), /^TypeError: load: source must be an address, bytes, an open file or a Response, got 7$/)
  assert.match(await load(bytes, { maxMemory: 1000 }), /^RangeError: load: must have at most 1000 bytes, got \d+$/)
  assert.match(await load(bytes, { maxMemory: 2 ** 19 }), /^RangeError: memory: must stay within 524288 bytes/)
  assert.match(await load(bytes, { target: 'avx' }), /^RangeError: target: must be one of scalar, simd128, relaxed/)
  const stream = new Response(new ReadableStream({ pull: (s) => s.error(new Error('line cut')) }))
  assert.match(await load(stream), /^Error: response: must be readable to its end, got "line cut"$/)
})

test.run()
