/** The parts of an evaluation against cases counted by hand: pairs, candidates, re-ranking, foretold tokens. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  belonging,
  drawnNegatives,
  hardestNegatives,
  labelledPairs,
  matchingReport,
  randomNegatives,
} from '../src/evaluate/pairs.ts'
import { foretell, textScores } from '../src/evaluate/reconstruction.ts'
import { candidates, rerank } from '../src/evaluate/rerank.ts'
import type { StepDecoder } from '../src/runtime/search.ts'
import { uniform } from './support/op-case.ts'

/** Two drawings of a cat, a dog with two names, and a fox that somebody called a dog too. */
const SET = {
  concepts: ['cat', 'cat', 'dog', 'fox'],
  captions: ['cat', 'kitten', 'dog', 'hound', ' Dog'],
  captionOf: [0, 1, 2, 2, 3],
}

test('captions belong to all pictures of their concept, and to those that have the same words', () => {
  const belong = belonging(SET)
  const rows = SET.concepts.map((_, image) => SET.captions.map((_, caption) => Number(belong(image, caption))))
  assert.equal(rows, [
    [1, 1, 0, 0, 0],
    [1, 1, 0, 0, 0],
    [0, 0, 1, 1, 1],
    [0, 0, 1, 0, 1],
  ])
})

test('random partners are wrong ones, all of them in the long run, and the same for the same seed', () => {
  const belong = belonging(SET)
  const seen = SET.concepts.map(() => new Set<number>())
  for (let seed = 0; seed < 100; seed++) {
    const { captions, images } = randomNegatives(SET, belong, seed)
    captions.forEach((caption, image) => seen[image].add(caption))
    for (const [caption, image] of images.entries()) assert.not(belong(image, caption))
  }
  assert.equal(
    seen.map((some) => [...some].sort()),
    [
      [2, 3, 4],
      [2, 3, 4],
      [0, 1],
      [0, 1, 3],
    ],
  )
  assert.equal(randomNegatives(SET, belong, 7), randomNegatives(SET, belong, 7))
})

test('the hardest partner is the most similar wrong one', () => {
  // Similarities of images (rows) with captions, from one-hot captions; those that belong in brackets.
  //   [9] [8]  3   7   5
  //   [1] [2]  6   4   6     two equal ones: the first
  //    2   3  [9] [1] [8]
  //    5   4  [9]  6  [7]
  const image = Float32Array.of(9, 8, 3, 7, 5, 1, 2, 6, 4, 6, 2, 3, 9, 1, 8, 5, 4, 9, 6, 7)
  const text = Float32Array.from({ length: 25 }, (_, i) => Number(i % 6 === 0))
  assert.equal(hardestNegatives({ text, image, channels: 5 }, belonging(SET)), {
    captions: [3, 2, 1, 3],
    // By column: 5 of the fox, 4 of the fox, 6 of the second cat, 7 of the first cat, 6 of the second cat.
    images: [3, 3, 1, 0, 1],
  })
})

test('hard partners are drawn by softmax(similarity / T) among the wrong ones', () => {
  const image = Float32Array.of(0.9, 0.5, 0.2, 0.1)
  const text = Float32Array.of(1, 0.8, 0.4, -0.5)
  const set = { concepts: [0, 1, 2, 3], captions: ['a', 'b', 'c', 'd'], captionOf: [0, 1, 2, 3] }
  const [T, seeds] = [0.25, 4000]
  const counts = [0, 0, 0, 0]
  for (let seed = 0; seed < seeds; seed++) {
    const { captions } = drawnNegatives({ text, image, channels: 1 }, T, set.captionOf, belonging(set), seed)
    counts[captions[0]]++
  }
  const weights = [0, 0.8, 0.4, -0.5].map((cosine, caption) => (caption === 0 ? 0 : Math.exp((0.9 * cosine) / T)))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  // Five standard errors of a share are at most 4 points.
  counts.forEach((count, caption) => assert.ok(Math.abs(count / seeds - weights[caption] / sum) < 0.04, `${counts}`))
})

test('hard partners come from batches of 256: of 600 images a cold draw finds the hardest of the batch alone', () => {
  const n = 600
  const next = uniform(3)
  const image = Float32Array.from({ length: n }, () => next())
  const set = { concepts: [...Array(n).keys()], captions: Array.from({ length: n }, (_, i) => `${i}`) }
  const captionOf = [...Array(n).keys()]
  const features = { text: image, image, channels: 1 }
  const { captions } = drawnNegatives(features, 1e-6, captionOf, belonging({ ...set, captionOf }), 1)
  // All in a batch agree on its largest, which draws the second: two different ones a batch.
  assert.is(new Set(captions).size, 2 * Math.ceil(n / 256))
})

test('without a wrong partner there is no pair, and balance weighs both kinds alike', () => {
  const one = { concepts: [1, 1], captions: ['a', 'b'], captionOf: [0, 1] }
  const none = randomNegatives(one, belonging(one), 0)
  assert.equal(none, { captions: [-1, -1], images: [-1, -1] })
  assert.equal(labelledPairs([0, 1], none), [
    [0, 0, 1],
    [1, 1, 1],
  ])
  const pairs = labelledPairs([0, 1], { captions: [1, -1], images: [1, 0] })
  assert.equal(pairs.slice(2), [
    [0, 1, 0],
    [1, 0, 0],
    [0, 1, 0],
  ])
  // True pairs: right, undecided. Wrong pairs: (0,1) twice right, (1,0) wrong.
  const margins = [
    new Map([
      [0, 2],
      [1, -1],
    ]),
    new Map([
      [0, 0.5],
      [1, 0],
    ]),
  ]
  const { n, accuracy, balanced } = matchingReport(pairs, margins)
  assert.is(n, 5)
  assert.ok(Math.abs(accuracy - 60) < 1e-9)
  assert.ok(Math.abs(balanced - (100 / 2 + 200 / 3) / 2) < 1e-9)
})

test('candidates are the best, of equals the wrong ones first', () => {
  const gallery = Float32Array.of(3, 5, 5, 1, NaN, 4)
  const list = (k: number, owner: number) =>
    candidates(Float32Array.of(1), gallery, 1, [owner], [0, 1, 2, 3, 4, 5], k)[0]
  assert.equal(list(3, 1), { items: [4, 2, 1], similarities: [NaN, 5, 5] })
  assert.equal(list(2, 1).items, [4, 2])
  assert.equal(list(9, 4).items, [1, 2, 5, 0, 3, 4])
})

test('re-ranking moves the right one among the candidates only', () => {
  assert.is(rerank(3, [1, 9, 5], [false, true, false]), 1)
  assert.is(rerank(1, [1, 9, 5], [true, false, false]), 3)
  assert.is(rerank(1, [5, 9, 5], [true, false, false]), 3, 'ties count against')
  assert.is(rerank(1, [5, 1, 9], [true, false, true]), 1, 'the best of several')
  assert.is(rerank(1, [NaN, 1], [true, false]), 2)
  assert.is(rerank(1, [1, NaN], [true, false]), 2)
  assert.is(rerank(17, [1, 2, 3], [false, false, false]), 17)
})

test('tokens are foretold from the true ones before them', () => {
  const fed: [number, number, string][] = []
  // The likeliest next id is one more than this one; a cache is the text so far.
  const decoder: StepDecoder<string> = {
    step([id], position, [cache = '']) {
      fed.push([id, position, cache])
      const logits = Float32Array.from({ length: 4 }, (_, next) => Number(next === id + 1))
      return { logits, columns: 4, caches: [cache + id] }
    },
  }
  const tokens = foretell(decoder, [0, 1, 3, 0])
  assert.equal(fed, [
    [0, 0, ''],
    [1, 1, '0'],
    [3, 2, '01'],
  ])
  // 0 -> 1 as foretold; 1 -> 3 not; after 3 all are equal, and a tie is not right.
  assert.equal(
    tokens.map(({ right }) => right),
    [true, false, false],
  )
  const z = Math.E + 3
  const losses = [Math.log(z / Math.E), Math.log(z), Math.log(4)]
  tokens.forEach(({ loss }, i) => assert.ok(Math.abs(loss - losses[i]) < 1e-12))
  const { perplexity, tokenAccuracy, tokens: n } = textScores(tokens)
  assert.is(n, 3)
  assert.ok(Math.abs(perplexity - Math.cbrt(((z * z) / Math.E) * 4)) < 1e-9)
  assert.ok(Math.abs(tokenAccuracy - 100 / 3) < 1e-9)
})

test.run()
