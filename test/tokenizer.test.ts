/**
 * The tokenizer: ids of GPT-2 that are known elsewhere, batches, hostile text, and vocabularies of pruned models.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeBatch, encodeText } from '../src/text/tokenizer.ts'
import { EOS, VocabularyMap } from '../src/text/vocabulary.ts'

const PLAIN = { prefix: '', maxLength: 256 }
const MODEL = { prefix: ' ', maxLength: 256 }
const inner = (text: string, config = PLAIN) => encodeText(text, config).slice(1, -1)

test('known ids', () => {
  assert.equal(inner('Hello world'), [15496, 995])
  assert.equal(inner('A cat sitting on a couch'), [32, 3797, 5586, 319, 257, 18507])
  assert.equal(inner("don't"), [9099, 470])
  assert.equal(inner('naïve café'), [2616, 38776, 40304])
  assert.equal(inner('日本'), [33768, 98, 17312, 105])
  assert.equal(inner('😀'), [47249, 222])
  assert.equal(inner('\ud800'), inner('\ufffd'))
})

test('both ends are EOS, and the prefix counts as text', () => {
  assert.equal(encodeText('', PLAIN), [EOS, EOS])
  assert.equal(encodeText('cat', MODEL), [EOS, 3797, EOS])
  assert.is.not(encodeText('cat', PLAIN)[1], 3797)
})

test('special tokens in text are ordinary characters', () => {
  assert.equal(inner('<|endoftext|>'), [27, 91, 437, 1659, 5239, 91, 29])
})

test('texts are cut to the longest length', () => {
  const long = encodeText('a cat and '.repeat(500), MODEL)
  assert.is(long.length, 256)
  assert.is(long[255], EOS)
  assert.equal(encodeText('a cat', { prefix: ' ', maxLength: 3 }), [EOS, 257, EOS])
  assert.equal(encodeText('a cat', { prefix: ' ', maxLength: 2 }), [EOS, EOS])
  assert.throws(() => encodeText('a', { prefix: '', maxLength: 1 }), /maxLength must be a whole number from 2, got 1/)
})

test('a megabyte without spaces is no attack', () => {
  const start = performance.now()
  const letters = Array.from({ length: 1 << 20 }, (_, i) => String.fromCharCode(97 + ((i * 7919) % 26))).join('')
  assert.is(encodeText(letters, MODEL).length, 256)
  assert.ok(performance.now() - start < 2000)
})

test('batches are padded with EOS to the longest', () => {
  const { ids, lengths, T } = encodeBatch(['cat', 'a cat sitting', ''], PLAIN)
  assert.is(T, 5)
  assert.equal(Array.from(lengths), [encodeText('cat', PLAIN).length, 5, 2])
  assert.equal(Array.from(ids.subarray(T, 2 * T)), [EOS, 64, 3797, 5586, EOS])
  assert.equal(Array.from(ids.subarray(2 * T)), [EOS, EOS, EOS, EOS, EOS])
  assert.throws(() => encodeBatch([], PLAIN), /texts must not be empty/)
  assert.throws(() => encodeBatch([1 as unknown as string], PLAIN), /text must be a string, got 1/)
})

test('a pruned vocabulary: kept ids have rows in order, the others share the last', () => {
  const map = VocabularyMap.of([3797, 257, 3797])
  assert.equal(Array.from(map.kept), [257, 3797, EOS])
  assert.is(map.size, 4)
  assert.equal(
    [257, 3797, EOS, 5586, 0].map((id) => map.row(id)),
    [0, 1, 2, 3, 3],
  )
  assert.equal(
    [0, 1, 2, 3].map((row) => map.id(row)),
    [257, 3797, EOS, undefined],
  )
  const { ids, lengths } = encodeBatch(['a cat sitting', 'cat'], MODEL, map)
  assert.equal(Array.from(ids), [2, 0, 1, 3, 2, 2, 1, 2, 2, 2])
  assert.equal(Array.from(lengths), [5, 3])
  assert.throws(() => VocabularyMap.of([50257]), /the last id must be 50256, got 50257/)
  assert.throws(() => VocabularyMap.of([-1]), /row 0: ids must ascend from 0, got -1/)
  assert.throws(() => new VocabularyMap(Int32Array.of(5, 5, EOS)), /row 1: ids must ascend from 0, got 5/)
  assert.throws(() => new VocabularyMap(Int32Array.of(5)), /the last id must be 50256, got 5/)
})

test.run()
