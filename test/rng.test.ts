/**
 * Random streams: the words of an independent computation of pcg4d, what follows from the key, and rough statistics.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pcg4d, shuffle, Stream, USE } from '../src/base/rng.ts'

test('pcg4d gives the words of the paper', () => {
  assert.equal(pcg4d(0, 0, 0, 0), [251852841, 760645481, 850445371, 3542436074])
  assert.equal(pcg4d(1, 2, 3, 4), [908250390, 4044648920, 3775961919, 45698095])
  const most = 2 ** 32 - 1
  assert.equal(pcg4d(most, most, most, most), [2538526866, 3222658151, 2677364576, 2713428488])
})

test('a stream is pcg4d of its hashed key and a counter', () => {
  const stream = new Stream(7, 600, 3, 2)
  const words = Array.from({ length: 8 }, () => stream.word())
  assert.equal(words.slice(0, 4), [2113767351, 2384146047, 554979745, 549031413])
  assert.equal(words.slice(4), [922064077, 1308860015, 3743989311, 996387555])
})

test('every word of the key matters', () => {
  const keys: [number, number, number, number][] = [
    [1, 2, 3, 0],
    [2, 2, 3, 0],
    [1, 3, 3, 0],
    [1, 2, 4, 0],
    [1, 2, 3, 1],
  ]
  const first = keys.map((key) => new Stream(...key).word())
  assert.is(new Set(first).size, keys.length)
  assert.is(new Stream(1, 2, 3, 0).word(), first[0])
})

test('next is uniform, and neighbouring keys are independent', () => {
  const n = 20000
  const bins = new Array<number>(16).fill(0)
  let product = 0
  for (let i = 0; i < n; i++) {
    const x = new Stream(1, i, 0, USE.sample).next()
    const y = new Stream(1, i + 1, 0, USE.sample).next()
    bins[Math.floor(x * 16)]++
    product += (x - 0.5) * (y - 0.5) * 12
  }
  const chiSquared = bins.reduce((sum, count) => sum + (count - n / 16) ** 2 / (n / 16), 0)
  // 15 degrees of freedom: above 37.7 with probability 0.001.
  assert.ok(chiSquared < 37.7, `chi squared ${chiSquared}`)
  assert.ok(Math.abs(product / n) < 4 / Math.sqrt(n), `correlation ${product / n}`)
})

test('normal has the moments of the normal distribution', () => {
  const n = 20000
  const stream = new Stream(1, 0, 0, USE.init)
  const draws = Array.from({ length: n }, () => stream.normal())
  const moment = (k: number) => draws.reduce((sum, x) => sum + x ** k, 0) / n
  // Standard errors are sqrt(1, 2, 15, 96) / sqrt(n); four of each.
  assert.ok(Math.abs(moment(1)) < 0.03, `mean ${moment(1)}`)
  assert.ok(Math.abs(moment(2) - 1) < 0.04, `variance ${moment(2)}`)
  assert.ok(Math.abs(moment(3)) < 0.11, `skewness ${moment(3)}`)
  assert.ok(Math.abs(moment(4) - 3) < 0.28, `kurtosis ${moment(4)}`)
})

test('below stays below, reaches all, and refuses what is not a count', () => {
  const stream = new Stream(5, 0, 0, 0)
  const draws = Array.from({ length: 1000 }, () => stream.below(7))
  assert.equal([...new Set(draws)].sort(), [0, 1, 2, 3, 4, 5, 6])
  assert.throws(() => stream.below(0), /below: n must be/)
  assert.throws(() => new Stream(-1, 0, 0, 0), /Stream: key words must be/)
})

test('shuffle is a permutation that follows from its key', () => {
  const order = shuffle(100, 1, 2, 0, USE.order)
  assert.equal(
    Array.from(order).sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  )
  assert.equal(shuffle(100, 1, 2, 0, USE.order), order)
  assert.not.equal(shuffle(100, 1, 3, 0, USE.order), order)
  assert.equal(shuffle(0, 1, 2, 0, USE.order), new Uint32Array(0))
})

test('every place of a shuffle is equally likely', () => {
  const counts = new Array<number>(5).fill(0)
  for (let step = 0; step < 5000; step++) counts[shuffle(5, 3, step, 0, USE.order).indexOf(0)]++
  for (const count of counts) assert.ok(Math.abs(count - 1000) < 120, `${counts}`)
})

test.run()
