/**
 * Reading caption files: COCO's form, Karpathy's form, every way to be malformed; and the quarantine of pictures.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readCaptions } from '../src/data/coco.ts'
import { Quarantine } from '../src/data/quarantine.ts'

const folder = mkdtempSync(join(tmpdir(), 'coco-'))
const images = join(folder, 'images')
const json = join(folder, 'captions.json')
mkdirSync(join(images, 'val2014'), { recursive: true })
for (const file of ['1.jpg', '2.jpg', '3.jpg', 'val2014/4.jpg']) writeFileSync(join(images, file), 'a picture')
test.after(() => rmSync(folder, { recursive: true }))

function read(content: unknown, options = {}) {
  writeFileSync(json, typeof content === 'string' ? content : JSON.stringify(content))
  return readCaptions(json, images, options)
}

const image = (id: number, more = {}) => ({ id, file_name: `${id}.jpg`, ...more })
const annotation = (id: number, image_id: number, caption: unknown) => ({ id, image_id, caption })

test('several captions an image, in order and trimmed; images without one are left out', () => {
  const got = read({
    images: [image(1), image(2, { concept: '1f431', keywords: ['pet'], artist: 'noto' }), image(3)],
    annotations: [annotation(7, 2, 'A cat. \n'), annotation(8, 1, 'A dog'), annotation(9, 2, 'Cat face')],
  })
  assert.equal(got, [
    { id: 1, path: join(images, '1.jpg'), captions: ['A dog'], keywords: [], concept: 1 },
    {
      id: 2,
      path: join(images, '2.jpg'),
      captions: ['A cat.', 'Cat face'],
      keywords: ['pet'],
      concept: '1f431',
      artist: 'noto',
    },
  ])
})

test('the file of Karpathy, by split', () => {
  const entry = (filename: string, split: string, cocoid: number, more = {}) => ({
    filename,
    split,
    cocoid,
    imgid: 0,
    sentences: [{ raw: `Caption of ${cocoid}`, tokens: [] }],
    ...more,
  })
  const file = {
    dataset: 'coco',
    images: [
      entry('1.jpg', 'train', 11),
      entry('2.jpg', 'restval', 12),
      entry('4.jpg', 'test', 14, { filepath: 'val2014' }),
    ],
  }
  assert.equal(
    read(file).map(({ id }) => id),
    [11, 12, 14],
  )
  assert.equal(
    read(file, { split: 'train+restval' }).map(({ captions }) => captions),
    [['Caption of 11'], ['Caption of 12']],
  )
  assert.is(read(file, { split: 'test' })[0].path, join(images, 'val2014', '4.jpg'))
  assert.throws(() => read(file, { split: 'tset' }), /must have an image with a caption in tset/)
})

test('errors name the file and the entry', () => {
  const one = [annotation(1, 1, 'A dog')]
  const cases: [content: unknown, pattern: RegExp][] = [
    ['{', /captions\.json: must be a readable JSON file: /],
    ['[]', /must hold a JSON object, got \[\]/],
    [{}, /images must be an array/],
    [{ images: {}, annotations: [] }, /images must be an array, got \{\}/],
    [{ images: [null], annotations: [] }, /images\[0\] must be an object, got null/],
    [{ images: [image(1)], annotations: 3 }, /annotations must be an array, got 3/],
    [{ images: [{ id: 1 }], annotations: one }, /images\[0\]\.file_name must be a string/],
    [{ images: [{ file_name: '1.jpg' }], annotations: one }, /images\[0\]\.id must be a string or a number/],
    [{ images: [image(1), image(1)], annotations: one }, /images\[1\]\.id must be unique, got 1/],
    [{ images: [image(1, { file_name: '../x.jpg' })], annotations: one }, /must be a path below the image folder/],
    [{ images: [image(1, { file_name: '/x.jpg' })], annotations: one }, /must be a path below the image folder/],
    [
      { images: [image(1, { keywords: 'pet' })], annotations: one },
      /images\[0\]\.keywords must be an array of strings/,
    ],
    [{ images: [image(1, { concept: {} })], annotations: one }, /images\[0\]\.concept must be a string or a number/],
    [
      { images: [image(1)], annotations: [annotation(1, 5, 'x')] },
      /annotations\[0\]\.image_id must be the id of an image, got 5/,
    ],
    [{ images: [image(1)], annotations: [annotation(1, 1, 4)] }, /annotations\[0\]\.caption must be a string, got 4/],
    [{ images: [image(1)], annotations: [annotation(1, 1, ' ')] }, /annotations\[0\]\.caption must not be empty/],
    [{ images: [image(1)], annotations: [] }, /must have an image with a caption$/],
    [{ images: [{ filename: '1.jpg', imgid: 1, split: 'train' }] }, /images\[0\]\.sentences must be an array/],
    [
      { images: [1, 1].map((imgid) => ({ imgid, filename: '1.jpg', sentences: [] })) },
      /images\[1\]\.imgid must be unique, got 1/,
    ],
    [
      { images: [image(1), image(9)], annotations: [...one, annotation(2, 9, 'Gone')] },
      /1 of 2 pictures are missing, the first is .*9\.jpg/,
    ],
  ]
  for (const [content, pattern] of cases) assert.throws(() => read(content), pattern)
  assert.throws(
    () => readCaptions(join(folder, 'none.json'), images),
    /none\.json: must be a readable JSON file: ENOENT/,
  )
  const split = { images: [image(1)], annotations: one }
  assert.throws(() => read(split, { split: 'train' }), /split is for files of Karpathy/)
})

test('quarantine: the next good picture, one line a bad one, the same again after a restart', async () => {
  const file = join(folder, 'run', 'quarantine.jsonl')
  const list = Array.from({ length: 10 }, (_, id) => ({ id, path: `${id}.png` }))
  let tries = 0
  const load = async ({ id }: { id: number }) => {
    tries++
    if (id === 8 || id === 9) throw new Error(`damaged ${id}`)
    return id
  }
  const first = new Quarantine(file, 200)
  assert.is(await first.read(list, 8, load), 0)
  assert.is(await first.read(list, 9, load), 0)
  assert.is(await first.read(list, 3, load), 3)
  assert.is(tries, 5)
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  assert.equal(JSON.parse(lines[0]), { id: 8, path: '8.png', reason: 'damaged 8' })
  assert.is(lines.length, 2)

  writeFileSync(file, `${lines.join('\n')}\n{"id":3,"pa`)
  tries = 0
  const again = new Quarantine(file, 200)
  assert.is(again.size, 2)
  assert.is(await again.read(list, 8, load), 0)
  assert.is(tries, 1)
  assert.is(readFileSync(file, 'utf8').trim().split('\n').length, 2)
})

test('quarantine: stops above its share, and an abort condemns nothing', async () => {
  const list = [0, 1, 2].map((id) => ({ id, path: `${id}.png` }))
  const rejects = async (run: Promise<unknown>, pattern: RegExp) => {
    const text = await run.then(
      () => 'no error',
      (error) => String(error),
    )
    assert.match(text, pattern)
  }
  const broken = async () => {
    throw new Error('damaged')
  }
  const strict = new Quarantine(join(folder, 'strict.jsonl'), 199)
  await rejects(
    strict.read(list, 0, broken),
    /2 of 199 pictures cannot be read, see .*strict\.jsonl; the last: damaged/,
  )
  // Begun again, a run that was stopped for it does not go on without them.
  const restart = () => new Quarantine(join(folder, 'strict.jsonl'), 199)
  assert.throws(restart, /2 of 199 pictures cannot be read, see .*strict\.jsonl; remove it to try them again/)
  const lax = new Quarantine(join(folder, 'lax.jsonl'), 3, 1)
  await rejects(lax.read(list, 0, broken), /none of 3 pictures can be read/)
  const aborted = new Quarantine(join(folder, 'aborted.jsonl'), 3)
  const abort = async () => AbortSignal.abort().throwIfAborted()
  await rejects(aborted.read(list, 0, abort), /AbortError/)
  assert.is(aborted.size, 0)
  writeFileSync(join(folder, 'bad.jsonl'), 'x\n')
  assert.throws(() => new Quarantine(join(folder, 'bad.jsonl'), 3), /bad\.jsonl: line 1 must be JSON/)
})

test.run()
