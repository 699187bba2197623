/**
 * The emoji corpus without downloads: the rule that deals concepts to splits, the joins of names, and the thumbnails
 * that find near-duplicates and rank the pixel baseline.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pixelBaseline } from '../src/evaluate/baseline.ts'
import { ARTISTS } from '../src/data/emoji/artists.ts'
import { splitOf } from '../src/data/emoji/build.ts'
import { cleanPhrases, codeOf, codeOfHex, readConcepts } from '../src/data/emoji/concepts.ts'
import { bucketOf, groupOf, sideOf } from '../src/data/emoji/groups.ts'
import { lockedVersions } from '../src/data/emoji/sources.ts'
import { similarity, thumbnail } from '../src/data/thumbnail.ts'

const folder = mkdtempSync(join(tmpdir(), 'emoji-'))
test.after(() => rmSync(folder, { recursive: true }))

test('groups and their buckets', () => {
  const cases: [name: string, group: string, bucket: number][] = [
    ['cat face', 'cat', 2],
    ['man running facing right', 'running', 9],
    ["three o'clock", 'clock', 1],
    ['three o’clock', 'clock', 1],
    ['twelve-thirty', 'clock', 1],
    ['woman: beard', 'x', 8],
    ['OK button', 'ok', 4],
    ['grinning face', 'grinning', 0],
  ]
  for (const [name, group, bucket] of cases) assert.equal([groupOf(name), bucketOf(group)], [group, bucket], name)
  assert.is(groupOf('Old  woman'), 'old')
  assert.is(groupOf('human'), 'human', 'whole words only')
  assert.equal(['grinning face', 'three o’clock', 'cat'].map(sideOf), ['out', 'unseen', 'seen'])
})

test('splits: the held-out artist is never trained on, unseen concepts neither', () => {
  const splits = ARTISTS.map(({ id }) => [splitOf(id, 'cat face'), splitOf(id, 'one o’clock'), splitOf(id, 'grinning')])
  const train = ['train', undefined, undefined]
  assert.equal(splits, [
    ['train', 'val_concept', undefined],
    ...Array.from({ length: 5 }, () => train),
    ['dev_style', undefined, undefined],
    ['val_style', 'oneshot', undefined],
  ])
})

test('codes of characters and of hexadecimal spellings agree', () => {
  assert.is(codeOf('🐈‍⬛'), '1f408-200d-2b1b')
  assert.is(codeOf('❤️'), '2764')
  assert.is(codeOf('#️⃣'), codeOfHex('23-20e3'))
  assert.is(codeOfHex('0023-FE0F-20E3'), '0023-20e3')
})

test('phrases are cleaned', () => {
  assert.equal(cleanPhrases(['cat_face', 'Cat face', ':)', '+1', 'ok', 'man’s shoe'], ['pet']), [
    'cat face',
    "man's shoe",
  ])
  assert.equal(cleanPhrases(['Pet'], ['pet']), [])
})

function write(path: string, content: unknown) {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content))
}

test('concepts and drawings are joined over packages', () => {
  write('unicode-emoji-json/data-by-emoji.json', {
    '🐱': { name: 'cat face', group: 'Animals & Nature' },
    '🐈': { name: 'cat', group: 'Animals & Nature' },
    '☀️': { name: 'sun', group: 'Travel & Places' },
    '🕒': { name: 'three o’clock', group: 'Travel & Places' },
    '🏁': { name: 'chequered flag', group: 'Flags' },
  })
  write('emojibase-data/en/data.json', [{ hexcode: '2600', label: 'sun', tags: ['bright', 'rays'] }])
  write('openmoji/data/openmoji.json', [{ hexcode: '2600', annotation: 'sunny', tags: 'rays', openmoji_tags: 'hot' }])
  write('cldr-annotations-full/annotations/en/annotations.json', { annotations: { annotations: {} } })
  write('emojilib/dist/emoji-en-US.json', { '🐱': ['cat', 'meow'], '☀️': ["three_o'clock", 'summer'] })
  for (const set of ['emojibase', 'github', 'iamcal']) write(`emojibase-data/en/shortcodes/${set}.json`, {})
  const concepts = readConcepts(folder)
  // Not alternatives: `cat` of the cat face, the name of another concept, and `three o'clock` of the sun, unseen.
  assert.equal(concepts, [
    { code: '1f431', name: 'cat face', alternatives: [], keywords: ['meow'] },
    { code: '1f408', name: 'cat', alternatives: [], keywords: [] },
    {
      code: '2600',
      name: 'sun',
      alternatives: ['sunny'],
      keywords: ['bright', 'rays', 'hot', 'summer'],
    },
    { code: '1f552', name: 'three o’clock', alternatives: [], keywords: [] },
  ])

  const icons = { cat: { body: '<a/>' }, sunny: { body: '<b/>', width: 9 }, other: { body: '<c/>' } }
  const set = { icons, aliases: { 'cat-face': { parent: 'other' } }, width: 64, height: 64 }
  write('@iconify-json/emojione/icons.json', set)
  const drawn = ARTISTS.find(({ id }) => id === 'emojione')!.drawings(folder, concepts)
  assert.equal(
    drawn.map(({ concept, svg }) => [concept.name, /viewBox="(.*?)">(.*)<\/svg>/.exec(svg)!.slice(1)]),
    [
      ['cat face', ['0 0 64 64', '<c/>']],
      ['cat', ['0 0 64 64', '<a/>']],
      ['sun', ['0 0 9 64', '<b/>']],
    ],
  )
  write('openmoji/color/svg/2600-FE0F.svg', '<svg/>')
  const files = ARTISTS.find(({ id }) => id === 'openmoji')!.drawings(folder, concepts)
  assert.equal(
    files.map(({ concept, svg }) => [concept.name, svg]),
    [['sun', '<svg/>']],
  )
})

test('a missing package is named', () => {
  assert.throws(() => readConcepts(join(folder, 'none')), /emojibase-data\/en\/data\.json must be a readable JSON file/)
})

test('every artist is locked to an exact version from the public registry', () => {
  const versions = lockedVersions()
  for (const artist of ARTISTS) assert.match(versions[artist.package], /^\d+\.\d+\.\d+$/)
  const lock = readFileSync(new URL('../src/data/emoji/sources/package-lock.json', import.meta.url), 'utf8')
  const { packages } = JSON.parse(lock) as { packages: Record<string, { resolved?: string; integrity?: string }> }
  for (const [name, { resolved, integrity }] of Object.entries(packages)) {
    if (name === '') continue
    assert.ok(resolved?.startsWith('https://registry.npmjs.org/'), name)
    assert.ok(integrity?.startsWith('sha512-'), name)
  }
})

/** 32 x 32 pixels, RGB, from a function of place. */
function drawing(value: (x: number, y: number) => number) {
  const data = new Uint8Array(32 * 32 * 3)
  for (let i = 0; i < 32 * 32; i++) data.fill(value(i % 32, Math.floor(i / 32)), i * 3, i * 3 + 3)
  return { data, width: 32, height: 32, channels: 3 as const }
}

test('thumbnails: brightness and contrast do not matter, shape does', () => {
  const across = thumbnail(drawing((x) => x * 4))
  assert.ok(Math.abs(similarity(across, thumbnail(drawing((x) => 100 + x * 2))) - 1) < 1e-5)
  assert.ok(Math.abs(similarity(across, thumbnail(drawing((_, y) => y * 4)))) < 1e-5)
  assert.ok(similarity(across, thumbnail(drawing((x) => 124 - x * 4))) < -0.99)
  assert.is(similarity(across, thumbnail(drawing(() => 7))), 0)
})

test('the pixel baseline finds what it knows; ties and unknown concepts count against it', async () => {
  const save = async (name: string, pixels: ReturnType<typeof drawing>) => {
    const path = join(folder, `${name}.png`)
    const { data, ...raw } = pixels
    await sharp(data, { raw }).png().toFile(path)
    return path
  }
  const across = await save(
    'across',
    drawing((x) => x * 4),
  )
  const down = await save(
    'down',
    drawing((_, y) => y * 4),
  )
  const queries = [
    {
      path: await save(
        'across2',
        drawing((x) => 9 + x * 3),
      ),
      concept: 'a',
    },
    {
      path: await save(
        'down2',
        drawing((_, y) => 9 + y * 3),
      ),
      concept: 'b',
    },
  ]
  const sure = { r1: 100, r5: 100, r10: 100 }
  const both = [
    { path: across, concept: 'a' },
    { path: down, concept: 'b' },
  ]
  assert.equal(await pixelBaseline(queries, both), { n: 2, unknown: 0, i2t: sure, t2i: sure })
  const twins = both.map(({ concept }) => ({ path: across, concept }))
  assert.is((await pixelBaseline(queries, twins)).i2t.r1, 0)
  const none = await pixelBaseline(queries, [])
  assert.equal([none.unknown, none.i2t.r1, none.t2i.r1, none.i2t.r5], [2, 0, 0, 100])
})

test.run()
