/**
 * The search over captions, on toy decoders whose logits follow from the ids before: against all sequences, against a
 * beam search written plainly without an early end, and samples against the distribution they are drawn from.
 * Longer than 300 lines because the searches that judge it are written out here.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Stream, USE } from '../src/base/rng.ts'
import { search, type SearchOptions, type SearchResult, type StepDecoder } from '../src/runtime/search.ts'

type Ids = readonly number[]
/** Logits of the next id by the ids before. */
type Chain = (past: Ids) => readonly number[]

const POSITION = 3
const GREEDY = { maxTokens: 6, beams: 1, temperature: 0, topP: 1, seed: 1, end: 0 }

/** Random logits with a wide spread, another table for every seed and past. */
function randomChain(seed: number, columns: number): Chain {
  return (past) => {
    const key = past.reduce((sum, id) => (sum * columns + id + 1) % 2 ** 32, 0)
    const stream = new Stream(seed, key, past.length, USE.sample)
    return Array.from({ length: columns }, () => Math.fround(2 * stream.normal()))
  }
}

/** A decoder that remembers the ids as its cache, and writes all logits to the same place, as the arena does. */
function toy(chain: Chain): { run: (options: Partial<SearchOptions>) => Run; steps: Ids[] } {
  const columns = chain([]).length
  const arena = new Float32Array(64 * columns)
  const steps: Ids[] = []
  const decoder: StepDecoder<Ids> = {
    step(ids, position, caches) {
      steps.push(ids)
      arena.fill(NaN)
      const pasts = caches.map((past, i) => {
        assert.is(position, POSITION + past.length)
        return Object.freeze([...past, ids[i]])
      })
      pasts.forEach((past, i) => arena.set(chain(past), i * columns))
      return { logits: arena.subarray(0, ids.length * columns), columns, caches: pasts }
    },
  }
  const run = (options: Partial<SearchOptions>): Run => {
    const start = { logits: Float32Array.from(chain([])), columns, cache: [], position: POSITION }
    const generator = search(decoder, start, { ...GREEDY, ...options })
    const yielded: (number | null)[] = []
    for (;;) {
      const { value, done } = generator.next()
      if (done) return { ...value, yielded }
      yielded.push(value)
      arena.fill(NaN)
    }
  }
  return { run, steps }
}

type Run = SearchResult & { yielded: (number | null)[] }

function logSoftmax(logits: readonly number[], banned: Ids = []): number[] {
  const sum = logits.reduce((total, x, id) => (banned.includes(id) ? total : total + Math.exp(x)), 0)
  return logits.map((x, id) => (banned.includes(id) ? -Infinity : x - Math.log(sum)))
}

/** Every possible text of at most `maxTokens` ids, `end` counted, with its probability. */
function allTexts(chain: Chain, { maxTokens, end, banned }: SearchOptions): SearchResult[] {
  const texts: SearchResult[] = []
  const visit = (ids: number[], logProbability: number): void => {
    if (ids.length === maxTokens) return void texts.push({ ids, logProbability, finished: false })
    logSoftmax(chain(ids), banned).forEach((score, id) => {
      if (score === -Infinity) return
      if (id === end) texts.push({ ids, logProbability: logProbability + score, finished: true })
      else visit([...ids, id], logProbability + score)
    })
  }
  visit([], 0)
  return texts
}

const score = ({ ids, logProbability, finished }: SearchResult) => logProbability / (ids.length + (finished ? 1 : 0))

/** The best finished text, or the best of all where none is. */
function bestOf(texts: SearchResult[]): SearchResult {
  const finished = texts.filter((text) => text.finished)
  return (finished.length > 0 ? finished : texts).reduce((best, text) => (score(text) > score(best) ? text : best))
}

function same(got: SearchResult, expected: SearchResult, where: string): void {
  assert.equal(got.ids, expected.ids, where)
  assert.is(got.finished, expected.finished, where)
  const difference = Math.abs(got.logProbability - expected.logProbability)
  assert.ok(difference < 1e-9, `${where}: log-probabilities differ by ${difference}`)
}

test('greedy takes the best id at every step', () => {
  let finished = 0
  for (let seed = 0; seed < 200; seed++) {
    const chain = randomChain(seed, 5)
    const ids: number[] = []
    let logProbability = 0
    let done = false
    while (!done && ids.length < GREEDY.maxTokens) {
      const scores = logSoftmax(chain(ids))
      const id = scores.indexOf(Math.max(...scores))
      logProbability += scores[id]
      if (id === GREEDY.end) done = true
      else ids.push(id)
    }
    const { run, steps } = toy(chain)
    const result = run({})
    same(result, { ids, logProbability, finished: done }, `seed ${seed}`)
    assert.equal(result.yielded, ids)
    // Nothing is computed behind the last id.
    assert.is(steps.length, done ? ids.length : GREEDY.maxTokens - 1)
    if (done) finished++
  }
  assert.ok(finished > 50 && finished < 190, `${finished} of 200 finished`)
})

test('a beam that holds every text finds the best of all', () => {
  let early = 0
  let notGreedy = 0
  for (const [columns, maxTokens] of [
    [2, 8],
    [3, 3],
    [4, 2],
    [16, 1],
  ]) {
    for (let seed = 0; seed < 200; seed++) {
      const chain = randomChain(seed, columns)
      const options = { ...GREEDY, maxTokens, beams: 16 }
      const { run, steps } = toy(chain)
      const result = run(options)
      same(result, bestOf(allTexts(chain, options)), `seed ${seed}, ${columns} ids, ${maxTokens} tokens`)
      if (steps.length < maxTokens - 1) early++
      if (String(run({ maxTokens }).ids) !== String(result.ids)) notGreedy++
    }
  }
  assert.ok(early > 50, `${early} searches ended early`)
  assert.ok(notGreedy > 50, `${notGreedy} results were other than greedy ones`)
})

/** Sorts all continuations, never ends early. */
function plainBeam(chain: Chain, { maxTokens, beams, end }: SearchOptions): SearchResult {
  let live: SearchResult[] = [{ ids: [], logProbability: 0, finished: false }]
  const finished: SearchResult[] = []
  for (let length = 1; length <= maxTokens; length++) {
    const all = live.flatMap(({ ids, logProbability }) =>
      logSoftmax(chain(ids)).map((score, id) => ({ ids, id, logProbability: logProbability + score })),
    )
    all.sort((a, b) => b.logProbability - a.logProbability)
    for (const { ids, id, logProbability } of all.slice(0, beams)) {
      if (id === end) finished.push({ ids: [...ids], logProbability, finished: true })
    }
    live = all
      .filter(({ id }) => id !== end)
      .slice(0, beams)
      .map(({ ids, id, logProbability }) => ({ ids: [...ids, id], logProbability, finished: false }))
  }
  return bestOf(finished.length > 0 ? finished : live)
}

test('a narrow beam equals one that is written plainly and never ends early', () => {
  let early = 0
  for (let seed = 0; seed < 300; seed++) {
    const chain = randomChain(seed, 7)
    const options = { ...GREEDY, maxTokens: 1 + (seed % 8), beams: 2 + (seed % 5), end: seed % 7 }
    const { run, steps } = toy(chain)
    const result = run(options)
    same(result, plainBeam(chain, options), `seed ${seed}`)
    // One breath before every step, all ids at the end.
    assert.equal(result.yielded, [...steps.map(() => null), ...result.ids])
    if (steps.length < options.maxTokens - 1) early++
  }
  assert.ok(early > 20, `${early} searches ended early`)
})

test('where nothing may end, the best of full length is returned', () => {
  const chain = randomChain(5, 3)
  const blocked: Chain = (past) => chain(past).map((x, id) => (id === 0 ? -Infinity : x))
  const expected = bestOf(allTexts(blocked, { ...GREEDY, maxTokens: 4 }))
  assert.is(expected.finished, false)
  same(toy(blocked).run({ maxTokens: 4, beams: 16 }), expected, 'blocked by logits')
  same(toy(chain).run({ maxTokens: 4, beams: 16, banned: [0] }), expected, 'banned')
})

test('where everything ends, nothing is left to search', () => {
  const { run, steps } = toy(() => [0, -Infinity])
  same(run({ beams: 4 }), { ids: [], logProbability: 0, finished: true }, 'beams')
  same(run({}), { ids: [], logProbability: 0, finished: true }, 'greedy')
  assert.equal(steps, [])
})

test('of equal logits the first id, and the better parent, is taken', () => {
  const { run } = toy(() => [0, 0, 0])
  assert.equal(run({ end: 2, maxTokens: 3 }).ids, [0, 0, 0])
  assert.equal(run({ end: 2, maxTokens: 3, beams: 2 }).ids, [0, 0, 0])
  same(run({ end: 0, maxTokens: 2, beams: 2 }), { ids: [], logProbability: -Math.log(3), finished: true }, 'end first')
})

const FIRST: Chain = (past) => (past.length === 0 ? [0.5, -1, 2, 0, 1.2, -3] : [0, 0, 0, 0, 0, 0])

/** How often each id is drawn first by seeds 0 to n-1. */
function counts(chain: Chain, n: number, options: Partial<SearchOptions>): number[] {
  const { run } = toy(chain)
  const drawn = chain([]).map(() => 0)
  for (let seed = 0; seed < n; seed++) drawn[run({ maxTokens: 1, end: 0, ...options, seed }).ids[0] ?? 0]++
  return drawn
}

for (const [temperature, banned] of [
  [1, []],
  [0.7, []],
  [2.5, [2, 5]],
] as const) {
  test(`ids are drawn as often as softmax says, temperature ${temperature}, without ${banned.length} ids`, () => {
    const n = 20000
    const drawn = counts(FIRST, n, { temperature, banned })
    const expected = logSoftmax(
      FIRST([]).map((x) => x / temperature),
      banned,
    ).map((x) => n * Math.exp(x))
    const chiSquared = drawn.reduce((sum, count, id) => {
      return expected[id] === 0 ? sum + count * n : sum + (count - expected[id]) ** 2 / expected[id]
    }, 0)
    // 5 degrees of freedom or fewer: above 20.5 with probability 0.001.
    assert.ok(chiSquared < 20.5, `chi squared ${chiSquared}, ${drawn}`)
  })
}

test('a draw is the inverse of the distribution function at the number of seed and position', () => {
  const { run } = toy(() => [0, 0, 0, 0])
  for (let seed = 0; seed < 200; seed++) {
    const { ids } = run({ temperature: 1, seed, banned: [0], maxTokens: 3 })
    ids.forEach((id, i) => {
      assert.is(id, 1 + Math.floor(3 * new Stream(seed, POSITION + i, 0, USE.caption).next()), `seed ${seed}, id ${i}`)
    })
  }
})

test('topP keeps the smallest set that reaches it', () => {
  const chain: Chain = () => [0.05, 0.5, 0.15, 0.3].map(Math.log)
  const kept = (topP: number) => counts(chain, 2000, { temperature: 1, topP }).map((count) => count > 0)
  assert.equal(kept(1e-9), [false, true, false, false])
  assert.equal(kept(0.499), [false, true, false, false])
  assert.equal(kept(0.501), [false, true, false, true])
  assert.equal(kept(0.799), [false, true, false, true])
  assert.equal(kept(0.801), [false, true, true, true])
  assert.equal(kept(0.951), [true, true, true, true])
  // Equal weights are exact: half of four ids is two, the first ones, and a little more is three.
  const equal: Chain = () => [1, 1, 1, 1]
  assert.equal(
    counts(equal, 500, { temperature: 1, topP: 0.5 }).map((count) => count > 0),
    [true, true, false, false],
  )
  assert.equal(
    counts(equal, 500, { temperature: 1, topP: 0.5 + 1e-9 }).map((count) => count > 0),
    [true, true, true, false],
  )
  const [, one, , three] = counts(chain, 20000, { temperature: 1, topP: 0.7 })
  // 20000 draws at 5/8: four standard errors are 274.
  assert.ok(Math.abs(one - 12500) < 274, `${one} and ${three}`)
})

test('equal seeds draw equal texts, other seeds other ones', () => {
  const options = { temperature: 1.5, topP: 0.95, maxTokens: 12, banned: [0] }
  const texts = Array.from({ length: 50 }, (_, seed) => String(toy(randomChain(9, 6)).run({ ...options, seed }).ids))
  const again = Array.from({ length: 50 }, (_, seed) => String(toy(randomChain(9, 6)).run({ ...options, seed }).ids))
  assert.equal(texts, again)
  assert.is(new Set(texts).size, 50)
})

test('the log-probability of a sample is that of the model', () => {
  const chain = randomChain(2, 4)
  const { ids, finished, logProbability } = toy(chain).run({ temperature: 3, topP: 0.9, seed: 4 })
  const chosen = finished ? [...ids, 0] : ids
  const sum = chosen.reduce((total, id, i) => total + logSoftmax(chain(ids.slice(0, i)))[id], 0)
  assert.ok(Math.abs(logProbability - sum) < 1e-9, `${logProbability} and ${sum}`)
})

test('extreme temperatures and logits stay numbers', () => {
  const { run } = toy(() => [-3e38, 3e38, -Infinity, 0])
  for (const temperature of [0, 1e-300, 1e300]) {
    const { ids, logProbability } = run({ temperature, topP: 0.3, maxTokens: 2, seed: 3, end: 2 })
    assert.is(ids.length, 2)
    assert.not(ids.includes(2))
    assert.not(Number.isNaN(logProbability))
  }
})

test('banned ids are never chosen, and the others share the whole probability', () => {
  const chain: Chain = () => [0, 9, 1, 2]
  for (const options of [{}, { beams: 3 }, { temperature: 5, seed: 8 }]) {
    const { ids, logProbability } = toy(chain).run({ ...options, banned: [1, 3], maxTokens: 5 })
    assert.ok(ids.every((id) => id === 2))
    const scores = logSoftmax(chain([]), [1, 3])
    const expected = ids.length * scores[2] + (ids.length < 5 ? scores[0] : 0)
    assert.ok(Math.abs(logProbability - expected) < 1e-9)
  }
})

test('options are checked by name', () => {
  const { run } = toy(FIRST)
  const refused: [Partial<SearchOptions>, RegExp][] = [
    [{ maxTokens: 0 }, /caption: maxTokens must be a whole number from 1, got 0/],
    [{ maxTokens: 1.5 }, /maxTokens/],
    [{ beams: 0 }, /beams must be a whole number from 1 to 16, got 0/],
    [{ beams: 17 }, /beams/],
    [{ temperature: -1 }, /temperature must be a finite number from 0, got -1/],
    [{ temperature: NaN }, /temperature/],
    [{ temperature: Infinity }, /temperature/],
    [{ temperature: 1, beams: 2 }, /beams above 1 need temperature 0, got 1/],
    [{ topP: 0 }, /topP must be above 0 and at most 1, got 0/],
    [{ topP: 1.01 }, /topP/],
    [{ topP: NaN }, /topP/],
    [{ seed: 0.5 }, /seed must be a whole number/],
    [{ seed: 2 ** 32 }, /seed/],
    [{ end: 6 }, /end and banned must be from 0 to 5, got 6/],
    [{ banned: [-1] }, /end and banned/],
    [{ banned: [0, 1, 2, 3, 4, 5] }, /logits must be numbers, and one id not banned/],
  ]
  for (const [options, message] of refused) {
    assert.throws(
      () => run(options),
      (error: unknown) => error instanceof RangeError && message.test(error.message),
      JSON.stringify(options),
    )
  }
  for (const beams of [1, 3]) {
    assert.throws(() => toy((past) => (past.length < 1 ? [0, 1] : [NaN, 1])).run({ beams }), /logits must be numbers/)
    assert.throws(() => toy(() => [Infinity, 1]).run({ beams }), /logits must be numbers/)
    assert.throws(() => toy(() => [-Infinity, -Infinity]).run({ beams }), /logits must be numbers/)
  }
})

test.run()
