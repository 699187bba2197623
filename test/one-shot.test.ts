/**
 * One-shot accuracy on drawings whose features are made here: where the answer is known, at chance, and against the
 * exact share over all episodes that there are, by counting.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Stream, USE } from '../src/base/rng.ts'
import { isOneShot, oneShotText } from '../src/cli/one-shot.ts'
import type { Drawing } from '../src/evaluate/drawings.ts'
import { oneShot, type OneShotOptions } from '../src/evaluate/one-shot.ts'

const C = 16

/** A drawing with these features; the thumbnail has the same cosines as the image. */
function drawing(concept: number, image: Float32Array): Drawing {
  const thumbnail = new Float32Array(768)
  thumbnail.set(image)
  return { concept, kept: { image, text: image, z: image }, thumbnail }
}

/** A unit vector, other for every seed. */
function direction(seed: number): Float32Array {
  const stream = new Stream(seed, 0, 0, USE.sample)
  const v = Float32Array.from({ length: C }, () => stream.normal())
  const length = Math.hypot(...v)
  return v.map((x) => x / length)
}

const concepts = (n: number) => Array.from({ length: n }, (_, i) => i)
/** One drawing of each of n concepts, at random; sets of other seeds have nothing in common. */
const noise = (n: number, seed: number) => concepts(n).map((i) => drawing(i, direction(1000 * seed + i)))
const run = (taught: readonly Drawing[], queries: readonly Drawing[], options: Partial<OneShotOptions> = {}) =>
  oneShot(taught, queries, { ways: 5, ...options })

test('what looks as it was taught is always told', () => {
  const drawings = noise(30, 1)
  const report = run(drawings, drawings, { ways: 20 })
  const always = { accuracy: 100, standardError: 0 }
  assert.equal(report, { ways: 20, episodes: 600, concepts: 30, model: always, pixels: always, chance: 5 })
})

test('of drawings that are all alike none is told: ties are wrong', () => {
  const same = concepts(8).map((i) => drawing(i, direction(1)))
  assert.equal(run(same, same).model, { accuracy: 0, standardError: 0 })
  assert.is(run(same, same).pixels.accuracy, 0)
})

test('features that say nothing give chance', () => {
  for (const ways of [2, 5, 20]) {
    const { model, chance } = run(noise(300, 2), noise(300, 3), { ways })
    assert.is(chance, 100 / ways)
    // 300 queries that are right or wrong by themselves vary more than these do.
    const bound = 4 * Math.sqrt((chance * (100 - chance)) / 300)
    assert.ok(Math.abs(model.accuracy - chance) < bound, `${ways} ways: ${model.accuracy}`)
  }
})

/** Share in percent over all episodes: a query is told unless one of the b more similar concepts is among the others. */
function exact(taught: readonly Drawing[], queries: readonly Drawing[], ways: number): number {
  const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, c) => sum + x * b[c], 0)
  const shares = queries.map(({ kept: { image } }, own) => {
    const scores = taught.map(({ kept }) => cosine(kept.image, image))
    const b = scores.filter((score) => score > scores[own]).length
    const others = queries.length - 1
    return concepts(ways - 1).reduce((p, j) => (p * Math.max(0, others - b - j)) / (others - j), 1)
  })
  return (100 * shares.reduce((sum, share) => sum + share, 0)) / queries.length
}

test('episodes come as near to the exact share as their standard error says', () => {
  const taught = noise(40, 4)
  const queries = taught.map(({ concept, kept }, i) => {
    const other = direction(5000 + i)
    return drawing(
      concept as number,
      kept.image.map((x, c) => 0.35 * x + 0.65 * other[c]),
    )
  })
  for (const ways of [2, 5, 20]) {
    const { accuracy, standardError } = run(taught, queries, { ways }).model
    const want = exact(taught, queries, ways)
    assert.ok(want > 50 && want < 99, String(want))
    assert.ok(standardError > 0.1 && standardError < 1.5, String(standardError))
    assert.ok(Math.abs(accuracy - want) < 4 * standardError, `${ways} ways: ${accuracy}, exactly ${want}`)
    const more = run(taught, queries, { ways, episodes: 2400 }).model.standardError
    assert.ok(Math.abs(more / standardError - 0.5) < 0.1, 'four times the episodes, half the error')
  }
})

test('pixels are asked about the very same episodes', () => {
  const [taught, queries] = [noise(25, 6), noise(25, 7)]
  const { model, pixels } = run(taught, queries)
  assert.ok(model.accuracy > 0)
  assert.equal(pixels, model)
})

test('only concepts of both sets are drawn, and of several drawings one', () => {
  const good = noise(10, 8)
  const unseen = noise(30, 9).slice(10)
  // The second drawing of each concept looks as no query does.
  const away = good.map(({ concept, kept: { image } }) =>
    drawing(
      concept as number,
      image.map((x) => -x),
    ),
  )
  const report = run([...unseen, ...good], [...good, ...noise(60, 15).slice(30)], { ways: 10 })
  assert.is(report.concepts, 10)
  assert.is(report.model.accuracy, 100)
  const { accuracy } = run([...good, ...away], good, { ways: 2 }).model
  // Both good: told. Both away, or only the own: mostly not. Only the other away: told. About half.
  assert.ok(accuracy > 40 && accuracy < 62, String(accuracy))
})

test('the same seed draws the same', () => {
  const [taught, queries] = [noise(30, 12), noise(30, 13)]
  assert.equal(run(taught, queries, { seed: 3 }), run(taught, queries, { seed: 3 }))
  assert.not.equal(run(taught, queries, { seed: 4 }), run(taught, queries, { seed: 3 }))
})

test('refuses what cannot be drawn', () => {
  const drawings = noise(6, 14)
  for (const [options, error] of [
    [{ ways: 7 }, /^one-shot: ways must be a whole number from 2 to 6, got 7$/],
    [{ ways: 1 }, /ways must be .* got 1/],
    [{ ways: 2.5 }, /ways must be .* got 2.5/],
    [{ episodes: 1 }, /episodes must be a whole number from 2, got 1/],
  ] as [Partial<OneShotOptions>, RegExp][]) {
    assert.throws(
      () => run(drawings, drawings, options),
      (thrown: Error) => thrown instanceof RangeError && error.test(thrown.message),
    )
  }
})

test('figures of a manifest are shown where they have their form, and nothing else is', () => {
  const reports = [5, 20].map((ways) => run(noise(30, 12), noise(30, 13), { ways }))
  assert.ok(isOneShot(JSON.parse(JSON.stringify(reports))))
  assert.match(oneShotText('m', reports), /30 concepts, 600 episodes[\s\S]*5-way +20-way\nm +[\d.]+ ± [\d.]+/)
  for (const broken of [null, 3, [], [null], [{ ...reports[0], model: undefined }], [{ ...reports[0], ways: '5' }]])
    assert.not(isOneShot(broken), JSON.stringify(broken))
})

test.run()
