/**
 * Ids back to text: whole texts against gpt-tokenizer's decode, bytes against GPT-2's table of them and Node's UTF-8,
 * and pieces that never show half a character.
 */
import { decode } from 'gpt-tokenizer/encoding/r50k_base'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Stream, USE } from '../src/base/rng.ts'
import { decodeIds, TextStream } from '../src/text/stream.ts'
import { encodeText } from '../src/text/tokenizer.ts'
import { EOS } from '../src/text/vocabulary.ts'

const TEXTS = [
  '',
  ' a cat sitting on a couch',
  "don't <|endoftext|> 3.14\n\ttabs",
  'naïve café Ångström',
  'e\u0301 a\u0308\u0323 क्षि ก็ 한국어',
  '日本語の文章と汉字',
  '😀👍🏽👩‍👩‍👧‍👦🏳️‍🌈🇯🇵 and text between 🎉🎉',
  'שלום مرحبا',
  '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \u{10ffff}\u0000\ufffd',
  '\ufeffwith a mark at its front, and \ufeff within',
]
const inner = (text: string) => encodeText(text, { prefix: '', maxLength: 256 }).slice(1, -1)

test('known ids', () => {
  assert.is(decodeIds([15496, 995]), 'Hello world')
  assert.is(decodeIds([32, 3797, 5586, 319, 257, 18507]), 'A cat sitting on a couch')
  assert.is(decodeIds([33768, 98, 17312, 105]), '日本')
  assert.is(decodeIds([47249, 222]), '😀')
})

test('texts come back, whole and in pieces, without half characters', () => {
  let cut = 0
  for (const text of TEXTS) {
    const ids = inner(text)
    assert.is(decodeIds(ids), text)
    // What gpt-tokenizer makes of a mark at the front depends on what it decoded before.
    if (!text.startsWith('\ufeff')) assert.is(decode(ids), text)
    const stream = new TextStream()
    let soFar = ''
    for (const id of ids) {
      const piece = stream.push(id)
      if (piece === '') cut++
      soFar += piece
      assert.ok(text.startsWith(soFar), `${JSON.stringify(soFar)} begins ${text}`)
    }
    assert.is(soFar, text)
    assert.is(stream.end(), '')
  }
  assert.ok(cut > 20, `${cut} ids ended within a character`)
})

test('a text that stops anywhere is a beginning of the whole, at most one character unfinished', () => {
  for (const text of TEXTS) {
    const ids = inner(text)
    for (let k = 0; k <= ids.length; k++) {
      const stream = new TextStream()
      const shown = ids
        .slice(0, k)
        .map((id) => stream.push(id))
        .join('')
      const rest = stream.end()
      assert.ok(text.startsWith(shown))
      assert.ok(rest === '' || rest === '\ufffd', JSON.stringify(rest))
      assert.is(decodeIds(ids.slice(0, k)), shown + rest)
      // A stream that has ended begins anew.
      assert.is(ids.map((id) => stream.push(id)).join('') + stream.end(), text)
    }
  }
})

/** GPT-2's bytes of ids 0 to 255: the printable ones in order, then the others in order. */
const BYTES = (() => {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 255 && byte !== 173)
  const all = Array.from({ length: 256 }, (_, byte) => byte)
  return [...all.filter(printable), ...all.filter((byte) => !printable(byte))]
})()

test('any bytes are text: what is no UTF-8 becomes U+FFFD, as Node has it', () => {
  const stream = new Stream(1, 0, 0, USE.sample)
  for (let n = 0; n < 2000; n++) {
    // High bytes often, so that whole and broken characters of all lengths are among them.
    const ids = Array.from({ length: 1 + stream.below(12) }, () => {
      const byte = stream.below(3) === 0 ? stream.below(256) : 128 + stream.below(128)
      return BYTES.indexOf(byte)
    })
    assert.is(decodeIds(ids), Buffer.from(ids.map((id) => BYTES[id])).toString('utf8'), String(ids))
  }
})

test('every id has bytes: those that are text are the tokenizer’s, and encode to themselves', () => {
  let texts = 0
  for (let id = 0; id < EOS; id++) {
    const text = decodeIds([id])
    assert.ok(text.length > 0, `id ${id}`)
    if (text.includes('\ufffd')) continue
    assert.is(decode([id]), text)
    texts++
  }
  assert.ok(texts > 49000, `${texts} ids are text`)
})

test('one text does not touch another, and EOS is nothing', () => {
  const [first, second] = inner('😀')
  const left = new TextStream()
  const right = new TextStream()
  assert.is(left.push(first), '')
  assert.is(right.push(15496), 'Hello')
  assert.is(decodeIds([995]), ' world')
  assert.is(left.push(EOS), '')
  assert.is(left.push(second), '😀')
  assert.is(decodeIds([EOS, 15496, EOS, EOS, 995, EOS]), 'Hello world')
  assert.is(decodeIds([]), '')
})

test('the prefix of the tokenizer is left out, at the front alone', () => {
  const told = (ids: readonly number[], prefix: string) => {
    const stream = new TextStream(prefix)
    const pieces = ids.map((id) => stream.push(id))
    const text = pieces.join('') + stream.end()
    assert.is(decodeIds(ids, prefix), text)
    assert.is(ids.map((id) => stream.push(id)).join('') + stream.end(), text, 'begins anew')
    return text
  }
  for (const prefix of ['', ' ', 'a photo of ', '日']) {
    for (const text of TEXTS) {
      const ids = inner(prefix + text)
      assert.is(told(ids, prefix), text)
      // Beginnings that are not yet the prefix, or never become it, are text.
      ids.forEach((_, k) => {
        const whole = decodeIds(ids.slice(0, k))
        assert.is(told(ids.slice(0, k), prefix), whole.startsWith(prefix) ? whole.slice(prefix.length) : whole)
      })
    }
  }
  assert.is(told(inner('a photo on'), 'a photo of '), 'a photo on')
  assert.is(told(inner(' a a'), ' a'), ' a')
})

test('ids that GPT-2 does not have are refused', () => {
  for (const id of [-1, 50257, 1.5, NaN]) assert.throws(() => decodeIds([id]), /text: ids must be from 0 to 50256/)
})

test.run()
