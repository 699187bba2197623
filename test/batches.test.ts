/**
 * Which pictures and captions a step takes: everything follows from seed and step, every epoch has each picture or
 * concept once, captions come in the shares that are configured, the control never shows a right caption.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Batches, type BatchOptions, type Item, type Sample } from '../src/train/batches.ts'

const OPTIONS: BatchOptions = {
  seed: 3,
  batch: 8,
  pairs: false,
  captionWithKeywords: 0.25,
  keywordsAlone: 0.15,
  shufflePairs: false,
}

/** Concepts 0 .. n-1 with `each` pictures; captions `c<picture>.<k>`, keywords `k<picture>.<k>`. */
function pictures(n: number, each: number, keywords = 5): Sample[] {
  return Array.from({ length: n * each }, (_, i) => ({
    captions: [`c${i}.0`, `c${i}.1`],
    keywords: Array.from({ length: keywords }, (_, k) => `k${i}.${k}`),
    concept: Math.floor(i / each),
  }))
}

const steps = (batches: Batches, count: number): Item[][] =>
  Array.from({ length: count }, (_, i) => batches.step(i + 1))
const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)
const range = (n: number) => Array.from({ length: n }, (_, i) => i)

test('a step follows from seed and number alone, in whatever order steps are asked for', () => {
  for (const pairs of [false, true]) {
    const all = steps(new Batches(pictures(10, 3), { ...OPTIONS, pairs }), 12)
    const again = new Batches(pictures(10, 3), { ...OPTIONS, pairs })
    for (const step of [12, 1, 7, 2, 11]) assert.equal(again.step(step), all[step - 1])
    assert.not.equal(new Batches(pictures(10, 3), { ...OPTIONS, pairs, seed: 4 }).step(1), all[0])
    assert.not.equal(all[1], all[0])
  }
})

test('every epoch has each picture once, in another order', () => {
  const batches = new Batches(pictures(12, 2), OPTIONS)
  assert.is(batches.stepsPerEpoch, 3)
  const taken = steps(batches, 6)
    .flat()
    .map(({ picture }) => picture)
  const [first, second] = [taken.slice(0, 24), taken.slice(24)]
  assert.equal(sorted(first), range(24))
  assert.equal(sorted(second), range(24))
  assert.not.equal(first, second)
})

test('an epoch that is no whole number of steps goes on in the next step', () => {
  const taken = steps(new Batches(pictures(11, 1), OPTIONS), 11).flat()
  for (let epoch = 0; epoch < 8; epoch++) {
    const part = taken.slice(11 * epoch, 11 * (epoch + 1)).map(({ picture }) => picture)
    assert.equal(sorted(part), range(11))
  }
})

test('pairs: two different pictures of each concept, all of them in time', () => {
  const set = pictures(8, 3)
  const batches = new Batches(set, { ...OPTIONS, pairs: true })
  assert.is(batches.stepsPerEpoch, 2)
  const seen = new Map<string, number>()
  for (const items of steps(batches, 400)) {
    assert.is(items.length, 8)
    for (let i = 0; i < items.length; i += 2) {
      const [a, b] = [items[i], items[i + 1]]
      assert.is(a.concept, b.concept)
      assert.is.not(a.picture, b.picture)
      assert.is(set[a.picture].concept, a.concept)
      const pair = `${a.picture},${b.picture}`
      seen.set(pair, (seen.get(pair) ?? 0) + 1)
    }
    assert.is(new Set(items.map(({ concept }) => concept)).size, 4)
  }
  // 8 concepts, 6 ordered pairs of 3 pictures each; 1600 draws are 33 a pair.
  assert.is(seen.size, 48)
  for (const [pair, count] of seen) assert.ok(count > 10 && count < 70, `${pair} came ${count} times`)
})

test('pairs: a concept with one picture takes it twice', () => {
  const items = new Batches(pictures(4, 1), { ...OPTIONS, pairs: true }).step(1)
  for (let i = 0; i < 8; i += 2) assert.is(items[i].picture, items[i + 1].picture)
})

test('captions, captions with keywords and keywords alone come in their shares', () => {
  const items = steps(new Batches(pictures(50, 2), { ...OPTIONS, batch: 100 }), 100).flat()
  let [captions, both, alone] = [0, 0, 0]
  for (const { picture, caption } of items) {
    const words = caption.split(' ')
    assert.ok(
      words.every((word) => word.startsWith(`c${picture}.`) || word.startsWith(`k${picture}.`)),
      `${caption} is not of ${picture}`,
    )
    const keywords = words.filter((word) => word.startsWith('k'))
    assert.is(new Set(keywords).size, keywords.length)
    assert.ok(keywords.length <= 3)
    if (words[0].startsWith('k')) alone++
    else if (keywords.length > 0) both++
    else captions++
  }
  // Standard errors of 10,000 draws: at most .5 points.
  for (const [got, want] of [
    [captions, 0.6],
    [both, 0.25],
    [alone, 0.15],
  ])
    assert.ok(Math.abs(got / 10_000 - want) < 0.02, `${got} of 10,000 must be near ${want}`)
  const seconds = items.filter(({ caption }) => /^c\d+\.1/.test(caption)).length
  assert.ok(Math.abs(seconds / (captions + both) - 0.5) < 0.03, 'both captions must come alike')
})

test('without keywords there are captions only', () => {
  const items = steps(new Batches(pictures(20, 1, 0), OPTIONS), 50).flat()
  for (const { picture, caption } of items) assert.match(caption, new RegExp(`^c${picture}\\.[01]$`))
})

test('the control: captions of one other picture, the same one always', () => {
  const set = pictures(100, 1, 0)
  const items = steps(new Batches(set, { ...OPTIONS, batch: 50, shufflePairs: true }), 8).flat()
  const from = new Map<number, number>()
  for (const { picture, caption, concept } of items) {
    const source = Number(/^c(\d+)\./.exec(caption)![1])
    assert.is(from.get(picture) ?? source, source)
    from.set(picture, source)
    assert.is(concept, picture)
  }
  // A permutation; on average one of a hundred keeps its own.
  assert.equal(sorted([...from.values()]), range(100))
  assert.ok([...from].filter(([picture, source]) => picture === source).length <= 4)
})

test('no pictures are refused', () => {
  assert.throws(() => new Batches([], OPTIONS), /training data: must have at least one image/)
})

test.run()
