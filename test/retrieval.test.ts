/**
 * Retrieval figures against ranks counted by hand.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { chanceRecalls, evaluateRetrieval, ranks, summarise } from '../src/evaluate/retrieval.ts'

test('several captions an image, ranks by hand', () => {
  // Scores of captions (rows) with images 0, 1, 2; the image of a caption in brackets.
  //   c0 [0]   9 1 0   rank 1          image 0: own c0 = 9, c1 = 2; others 3, 4, 1 -> rank 1
  //   c1 [0]   2 7 5   rank 3          image 1: own c2 = 6; others 1, 7, 8, 0 -> rank 3
  //   c2 [1]   3 6 4   rank 1          image 2: own c3 = 2, c4 = 2; others 0, 5, 4 -> rank 3
  //   c3 [2]   4 8 2   rank 3
  //   c4 [2]   1 0 2   rank 1
  const text = Float32Array.of(9, 1, 0, 2, 7, 5, 3, 6, 4, 4, 8, 2, 1, 0, 2)
  const image = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1)
  const captionOf = [0, 0, 1, 2, 2]
  const own = [0, 1, 2]
  assert.equal(Array.from(ranks(text, image, 3, captionOf, own)), [1, 3, 1, 3, 1])
  assert.equal(Array.from(ranks(image, text, 3, own, captionOf)), [1, 3, 3])
  const { chance, ...report } = evaluateRetrieval({ text, image, channels: 3, captionOf })
  assert.equal(report, {
    images: 3,
    captions: 5,
    t2i: { r1: 60, r5: 100, r10: 100, medianRank: 1 },
    i2t: { r1: 100 / 3, r5: 100, r10: 100, medianRank: 3 },
  })
  assert.ok(Math.abs(chance.t2i.r1 - 100 / 3) < 1e-9)
})

test('ties count against: equal features have the worst rank', () => {
  const same = new Float32Array(4).fill(0.5)
  const report = evaluateRetrieval({ text: same, image: same, channels: 1, captionOf: [0, 1, 2, 3] })
  assert.equal(report.t2i, { r1: 0, r5: 100, r10: 100, medianRank: 4 })
  assert.equal(report.i2t, report.t2i)
})

test('own captions do not count against each other', () => {
  const text = Float32Array.of(1, 1, 0.5)
  const image = Float32Array.of(1, -1)
  assert.equal(Array.from(ranks(image, text, 1, [0, 1], [0, 0, 1])), [1, 1])
})

test('features that are not numbers have the worst rank', () => {
  const text = Float32Array.of(NaN, 1)
  const image = Float32Array.of(1, NaN)
  assert.equal(Array.from(ranks(text, image, 1, [0, 1], [0, 1])), [2, 2])
  assert.equal(Array.from(ranks(Float32Array.of(1), image, 1, [0], [0, 1])), [2])
})

test('median of an even number of ranks is the mean of the middle two', () => {
  assert.equal(summarise(Int32Array.of(100, 2, 7, 1)), { r1: 25, r5: 50, r10: 75, medianRank: 4.5 })
})

test('chance is what a random order reaches', () => {
  const ids = Array.from({ length: 200 }, (_, i) => i)
  const { r1, r5, r10 } = chanceRecalls(ids, ids)
  for (const [got, want] of [
    [r1, 0.5],
    [r5, 2.5],
    [r10, 5],
  ])
    assert.ok(Math.abs(got - want) < 1e-9)
  // Two of four captions are right: 1/2 at once; five places hold everything.
  assert.equal(chanceRecalls([0], [0, 0, 1, 1]), { r1: 50, r5: 100, r10: 100 })
})

test('sizes that do not fit are refused', () => {
  const one = Float32Array.of(1)
  const base = { text: one, image: one, channels: 1, captionOf: [0] }
  assert.throws(() => evaluateRetrieval({ ...base, captionOf: [1] }), /images from 0 to 0, got 1/)
  assert.throws(() => evaluateRetrieval({ ...base, captionOf: [0, 0] }), /queries must have 2 x 1 numbers, got 1/)
  assert.throws(() => evaluateRetrieval({ ...base, image: new Float32Array(2) }), /every image must have a caption/)
  assert.throws(() => evaluateRetrieval({ ...base, image: new Float32Array(3), channels: 2 }), /whole rows, got 1.5/)
})

test.run()
