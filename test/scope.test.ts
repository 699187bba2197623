/**
 * Thresholds of recognition on features whose similarities are set by hand, so that shares can be counted; and measured
 * on a micro model, whose file then carries them.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Stream, USE } from '../src/base/rng.ts'
import { readDrawings, similarities, type Drawing } from '../src/evaluate/drawings.ts'
import { measureScope, scopeOf, scopeShares } from '../src/evaluate/scope.ts'
import { decodeImage } from '../src/image/decode.ts'
import { BitGen } from '../src/index.ts'
import { microModel, picture } from './support/micro-model.ts'

/** Concepts that are taught, in draws of TAUGHT; further ones are only asked about. */
const [SHARED, TAUGHT, FURTHER] = [10, 5, 100]
const C = SHARED + 1
const OPTIONS = { taught: TAUGHT, draws: 50 }
const KINDS = ['image', 'text', 'code'] as const

/** All three features are one. */
function drawing(concept: number, feature: Float32Array): Drawing {
  return { concept, kept: { image: feature, text: feature, z: feature }, thumbnail: new Float32Array(768) }
}

/** Unit vector whose cosine with the drawing taught of concept i is similarities(i): those are the axes. */
function feature(similarities: (i: number) => number): Float32Array {
  const v = Float32Array.from({ length: C }, (_, i) => (i < SHARED ? similarities(i) : 0))
  const rest = 1 - v.reduce((sum, x) => sum + x * x, 0)
  assert.ok(rest >= 0)
  v[SHARED] = Math.sqrt(rest)
  return v
}

const taught = Array.from({ length: SHARED }, (_, own) =>
  drawing(
    own,
    feature((i) => Number(i === own)),
  ),
)
/** Like its own by `own`, like others by 0. */
const known = (own: number) =>
  Array.from({ length: SHARED }, (_, concept) =>
    drawing(
      concept,
      feature((i) => (i === concept ? own : 0)),
    ),
  )
/** Like everything by 0.001, 0.002, ... 0.1. */
const further = Array.from({ length: FURTHER }, (_, n) =>
  drawing(
    SHARED + n,
    feature(() => 0.001 * (n + 1)),
  ),
)

test('5 % of the queries that show other concepts are accepted, by counting', () => {
  const { scope, concepts, shares } = scopeOf(taught, [...known(0.9), ...further], OPTIONS)
  assert.is(concepts, SHARED)
  for (const kind of KINDS) {
    // Others: 100 further ones, and those of the 10 that are not taught, like everything by 0. Five of these 105 may
    // be accepted: 0.096 to 0.1.
    assert.ok(Math.abs(scope[kind] - 0.095) < 1e-6 && scope[kind] > 0.095, String(scope[kind]))
    assert.ok(Math.abs(shares[kind].accepted - (100 * 5) / 105) < 1e-9)
    assert.is(shares[kind].recognised, 100)
  }
})

test('what is taught is recognised where it is in scope and nearest to its own', () => {
  const scope = { image: 0.5, text: 0.95, code: -1 }
  const { shares } = scopeShares(scope, taught, [...known(0.9), ...further], OPTIONS)
  assert.equal(shares.image, { accepted: 0, recognised: 100 })
  assert.equal(shares.text, { accepted: 0, recognised: 0 })
  assert.equal(shares.code, { accepted: 100, recognised: 100 })
  // Like its own by less than like the one before it.
  const misled = taught.map((_, concept) =>
    drawing(
      concept,
      feature((i) => (i === concept ? 0.4 : i === (concept + 1) % SHARED ? 0.5 : 0)),
    ),
  )
  const { image } = scopeShares({ ...scope, image: 0.3 }, taught, [...misled, ...further], OPTIONS).shares
  // Told right where the other one was not drawn too, as 5 of the 9 others are not; and then the one that was not taught
  // is accepted for it.
  assert.ok(image.recognised > 40 && image.recognised < 70, String(image.recognised))
  assert.ok(image.accepted > 0 && image.accepted < 5)
})

test('of several drawings of a concept each is taught at times', () => {
  const second = taught.map(({ concept }) =>
    drawing(
      concept as number,
      feature(() => 0),
    ),
  )
  const scope = { image: 0.5, text: 0.5, code: 0.5 }
  const { recognised } = scopeShares(scope, [...taught, ...second], known(0.9), OPTIONS).shares.image
  assert.ok(recognised > 40 && recognised < 60, String(recognised))
})

test('equal similarities are all accepted or all refused', () => {
  const alike = Array.from({ length: FURTHER }, (_, n) =>
    drawing(
      SHARED + n,
      feature(() => 0.2),
    ),
  )
  const { scope, shares } = scopeOf(taught, [...known(0.9), ...alike], OPTIONS)
  assert.ok(Math.abs(scope.image - 0.2) < 1e-6)
  assert.equal(shares.image, { accepted: 0, recognised: 100 })
})

test('on noise 5 % are accepted, of other noise about as many', () => {
  const noise = (seed: number) =>
    Array.from({ length: 200 }, (_, i) => {
      const stream = new Stream(seed, i, 0, USE.sample)
      return drawing(
        i,
        Float32Array.from({ length: 32 }, () => stream.normal()),
      )
    })
  const { scope, shares } = scopeOf(noise(1), noise(2))
  for (const kind of KINDS) assert.ok(shares[kind].accepted > 4.9 && shares[kind].accepted <= 5)
  // One of 20 is right by chance, and seldom in scope.
  assert.ok(shares.image.recognised < 5)
  const { accepted } = scopeShares(scope, noise(3), noise(4)).shares.image
  assert.ok(accepted > 2.5 && accepted < 8, String(accepted))
})

test('refuses sets that share too few concepts', () => {
  assert.throws(
    () => scopeOf(taught, known(1), { taught: SHARED }),
    (error: Error) => /^scope: the sets must share more than 10 concepts, got 10$/.test(error.message),
  )
})

test('a model is measured, and its file carries what was found', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bitgen-scope-'))
  const quiet = () => ({ update: () => {}, note: () => {}, stop: () => {} })
  try {
    const set = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const { data, width, height } = picture(i)
        const path = join(folder, `${i}.png`)
        await sharp(Uint8Array.from(data), { raw: { width, height, channels: 3 } })
          .png()
          .toFile(path)
        return { path, concept: i, captions: [`thing ${i}`, 'not looked at'] }
      }),
    )
    const model = await BitGen.load(await microModel())
    await model.memory.write({ image: set[0].path, label: 'before' })
    const before = model.memory.list()
    const drawings = await readDrawings(model, set, quiet)
    assert.equal(model.memory.list(), before)
    const pixels = await decodeImage(set[3].path)
    const { length } = (await model.embedImage(pixels)).data
    assert.ok(drawings[3].kept.image.length > length, 'the key of the picture, not its feature alone')
    assert.equal(drawings[3].kept.text, (await model.embedText('thing 3')).data)
    assert.is(drawings[3].concept, 3)

    // Pictures of further concepts are not looked for.
    const more = [...set, { path: join(folder, 'none.png'), concept: 'none', captions: ['none'] }]
    const options = { taught: 3, draws: 40, progress: quiet }
    const { scope, ...report } = await measureScope(model, more, set, options)
    assert.equal({ scope, ...report }, scopeOf(drawings, drawings, options))
    const carrying = await BitGen.load(await microModel({}, { scope }))
    assert.equal(carrying.info().manifest.scope, scope)
    assert.equal(scopeShares(scope, drawings, drawings, options), report)

    // The class answers as was counted, here for one memory of three things.
    for (const { path, captions } of set.slice(0, 3)) {
      await carrying.memory.write({ image: path, label: captions[0], id: captions[0] })
    }
    for (const [i, { path, captions }] of set.entries()) {
      const { inScope, similarity, label } = (await carrying.memory.recall({ image: path }))!
      assert.is(inScope, similarity >= scope.image)
      if (i < 3) assert.equal([label, inScope], [captions[0], true])
      for (const [kind, query] of [
        ['image', { image: path }],
        ['text', { text: captions[0] }],
        ['code', { image: path, text: captions[0] }],
      ] as const) {
        const [row] = similarities(drawings.slice(0, 3), [drawings[i]], kind)
        assert.is((await carrying.memory.recall(query))!.similarity, Math.max(...row), kind)
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.run()
