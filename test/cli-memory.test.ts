/**
 * The commands that match, caption, teach and recall, on a micro model: what they print is compared with the library.
 * The file of what was taught survives calls that fail, and a model of retrieval alone says what it lacks.
 */
import * as nodeFs from 'node:fs'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readCaptions } from '../src/data/coco.ts'
import { readDrawings } from '../src/evaluate/drawings.ts'
import { oneShot } from '../src/evaluate/one-shot.ts'
import { BitGen } from '../src/index.ts'
import { replaceFile, type ReplacingFileSystem } from '../src/io/replace-file.ts'
import { at, bitgen, dir, good } from './cli-fixture.ts'
import { microModel, RETRIEVAL } from './support/micro-model.ts'

const SCOPE = { image: 0.99999, text: 0.99999, code: 0.99999 }
const [MODEL, UNMEASURED, PLAIN] = ['micro', 'unmeasured', 'plain'].map((name) => at(`${name}.safetensors`))
writeFileSync(MODEL, await microModel({}, { scope: SCOPE }))
writeFileSync(UNMEASURED, await microModel())
writeFileSync(PLAIN, await microModel(RETRIEVAL))

const [SQUARE, DISC, OTHER] = ['red-square', 'more/green-disc', 'black-square'].map((name) =>
  at('images', `${name}.png`),
)
const MEMORY = at('taught')
const FILES = ['--model', MODEL, '--memory', MEMORY]
const TIMES = String.raw`in [\d.]+ ms \(the first time in this process [\d.]+ ms\)`

/** A model that was taught what the file holds. */
async function pupil(path: string): Promise<BitGen> {
  const model = await BitGen.load(MODEL)
  model.memory.load(readFileSync(path))
  return model
}

test('teaches into a file, lists it, and recalls by picture, text and both', async () => {
  const out = await good('teach', ...FILES, SQUARE, 'a red square')
  assert.match(out, new RegExp(`^1  a red square\nremembered ${TIMES}; 1 thing in ${MEMORY}\n$`))
  assert.match(await good('teach', ...FILES, DISC, '42', '--id', 'disc'), /^disc {2}42\n.*; 2 things in /)
  assert.is(await good('taught', ...FILES), '1     a red square\ndisc  42\n')
  assert.equal(
    readdirSync(dir).filter((name) => name.startsWith('taught')),
    ['taught'],
  )

  const model = await BitGen.load(MODEL)
  await model.memory.write({ image: SQUARE, label: 'a red square' })
  await model.memory.write({ image: DISC, label: '42', id: 'disc' })
  assert.equal(readFileSync(MEMORY), Buffer.from(model.memory.save()))

  const threshold = 'in scope, from 1.000'
  for (const [args, query] of [
    [[DISC], { image: DISC }],
    [['--text', '42'], { text: '42' }],
    [[DISC, '--text', '42'], { image: DISC, text: '42' }],
  ] as [string[], { image?: string; text?: string }][]) {
    const { similarity } = (await model.memory.recall(query))!
    const want = `42\nsimilarity ${similarity.toFixed(3)}, id disc; ${threshold}\nrecalled ${TIMES}; 2 things in ${MEMORY}\n`
    assert.match(await good('recall', ...FILES, ...args), new RegExp(`^${want}$`))
  }
  const { similarity, label, id } = (await model.memory.recall({ image: OTHER }))!
  const nearest = `nearest: ${label}, similarity ${similarity.toFixed(3)}, id ${id}; not in scope, below 1.000`
  assert.match(await good('recall', ...FILES, OTHER), new RegExp(`^nothing that was taught\n${nearest}\n`))
})

test('where the model states no threshold, recall says so', async () => {
  const out = await good('recall', '--model', UNMEASURED, '--memory', MEMORY, OTHER)
  assert.match(out, /^.*\nsimilarity [\d.]+, id \w+; the model states no threshold\n/)
})

test('forgets all of the ids given, or none', async () => {
  const before = readFileSync(MEMORY)
  const { code, err } = await bitgen('forget', ...FILES, '1', 'none')
  assert.is(code, 1)
  assert.is(err, 'bitgen: memory: must have an entry of this id, got "none"\n')
  assert.equal(readFileSync(MEMORY), before)
  assert.is(await good('forget', ...FILES, '1'), `forgotten: 1; 1 thing in ${MEMORY}\n`)
  assert.is(await good('taught', ...FILES), 'disc  42\n')
  // A number that was given is not given again.
  assert.match(await good('teach', ...FILES, SQUARE, 'again'), /^2 {2}again\n/)
  await good('forget', ...FILES, 'disc', '2')
  assert.is(await good('taught', ...FILES), `0 things in ${MEMORY}\n`)
  assert.is(await good('recall', ...FILES, DISC), `0 things in ${MEMORY}\n`)
})

test('by default the file stands in the current folder, as the help says', async () => {
  const from = process.cwd()
  mkdirSync(at('folder'))
  process.chdir(at('folder'))
  try {
    const { code, err } = await bitgen('taught', '--model', MODEL)
    assert.is(code, 1)
    assert.is(err, 'bitgen: bitgen.memory: must exist; bitgen teach makes it\n')
    await good('teach', '--model', MODEL, SQUARE, 'a square')
    assert.equal(readdirSync('.'), ['bitgen.memory'])
    assert.match(await good('recall', '--model', MODEL, SQUARE), /^a square\n/)
  } finally {
    process.chdir(from)
  }
  for (const command of ['teach', 'recall', 'forget', 'taught']) {
    assert.match(await good(command, '--help'), 'default: bitgen.memory in the current folder')
  }
})

test('captions come in pieces as the library gives them, with the memory if it is named', async () => {
  await good('teach', ...FILES, SQUARE, 'a square')
  const model = await pupil(MEMORY)
  const say = async (...options: string[]) => (await good('caption', '--model', MODEL, SQUARE, ...options)).slice(0, -1)
  const plain = await model.caption(SQUARE, { memory: false })
  assert.is(await say(), plain.text)
  assert.is(await say('--memory', MEMORY), (await model.caption(SQUARE)).text)
  const search = { beams: 1, temperature: 2, topP: 0.9, seed: 7, maxTokens: 5, memory: false }
  const drawn = ['--temperature', '2', '--top-p', '0.9', '--seed', '7', '--max-tokens', '5']
  assert.is(await say(...drawn), (await model.caption(SQUARE, search)).text)
  assert.is(await say('--beams', '3'), (await model.caption(SQUARE, { beams: 3, memory: false })).text)
})

test('match prints a probability for every text, those after -- too', async () => {
  const texts = ['a square', '42', '-a dash']
  const probabilities = await (await BitGen.load(MODEL)).match(SQUARE, texts)
  const out = await good('match', '--model', MODEL, SQUARE, 'a square', '42', '--', '-a dash')
  assert.is(out, probabilities.map((p, i) => `${p.toFixed(3)}  ${texts[i]}\n`).join(''))
})

/** A captioned set in which every picture is a concept of its own. */
function drawings(name: string, files: readonly string[]): string {
  const images = files.map((file, i) => ({ id: i, file_name: file, concept: file }))
  const annotations = files.map((file, i) => ({ image_id: i, caption: file }))
  writeFileSync(at(name), JSON.stringify({ images, annotations }))
  return at(name)
}

test('one-shot prints the figures of the library, in the file too', async () => {
  const files = readdirSync(at('images')).filter((name) => name.endsWith('.png'))
  const [taught, queries] = [drawings('taught.json', files), drawings('queries.json', files.toReversed())]
  const json = at('one-shot.json')
  const sets = ['--images', at('images'), '--taught', taught, '--queries', queries, '--json', json]
  const drawn = ['--ways', '2,3', '--episodes', '50', '--seed', '3']
  const model = await BitGen.load(MODEL)
  const quiet = () => ({ update: () => {}, note: () => {}, stop: () => {} })
  const read = (path: string) => readDrawings(model, readCaptions(path, at('images')), quiet)
  const [lessons, asked] = [await read(taught), await read(queries)]
  for (const file of [MODEL, UNMEASURED]) {
    const out = await good('one-shot', ...sets, ...drawn, '--model', file)
    const want = [2, 3].map((ways) => oneShot(lessons, asked, { ways, episodes: 50, seed: 3 }))
    assert.equal(JSON.parse(readFileSync(json, 'utf8')), want)
    assert.match(out, /^4 concepts, 50 episodes;/)
    const cells = want.map(({ model }) => `${model.accuracy.toFixed(1)} ± ${model.standardError.toFixed(1)}`)
    assert.match(out, new RegExp(`^micro +${cells.join(' +')}$`, 'm'))
    assert.match(out, /^chance +50\.0 +33\.3$/m)
    // The pictures asked about are those that were taught.
    assert.is(want[0].model.accuracy, 100)
  }
})

test('a model of retrieval alone says what it was not trained for, in one line', async () => {
  for (const [args, error] of [
    [['caption', SQUARE], 'caption: must be asked of a model that was trained to caption'],
    [['match', SQUARE, 'x'], 'match: must be asked of a model that was trained to match'],
    [['teach', SQUARE, 'x', '--memory', at('never')], 'memory: must be asked of a model that was trained with one'],
    [['recall', SQUARE, '--memory', MEMORY], 'memory: must be asked of a model that was trained with one'],
    [['caption', SQUARE, '--memory', MEMORY], 'memory: must be asked of a model that was trained with one'],
  ] as [string[], string][]) {
    const { code, out, err } = await bitgen(...args, '--model', PLAIN)
    assert.equal([code, out, err], [1, '', `bitgen: ${error}\n`])
  }
  assert.not(existsSync(at('never')))
})

test('files that are none of this model, and calls that are wrong, are refused in one line', async () => {
  const damaged = at('damaged')
  const bytes = readFileSync(MEMORY)
  bytes[bytes.length - 1] ^= 1
  writeFileSync(damaged, bytes)
  const same = ['--model', MODEL, '--memory']
  for (const [args, code, error] of [
    [
      ['recall', SQUARE, ...same, damaged],
      1,
      /damaged: must be a memory file of this model, got "safetensors: the checksum must be/,
    ],
    [['teach', SQUARE, 'x', ...same, damaged], 1, /damaged: must be a memory file/],
    [['recall', SQUARE, ...same, MODEL], 1, /must be a memory file of this model, got "memory file: must be of kind/],
    [['caption', SQUARE, ...same, at('none')], 1, /none: must exist; bitgen teach makes it/],
    [['teach', SQUARE, 'x', ...same, at('none', 'x')], 1, /none\/x: must be writable, got "ENOENT/],
    [['teach', SQUARE, 'x', ...same, at('images')], 1, /images: must be a memory file/],
    [['teach', at('none.png'), 'x', ...same, MEMORY], 1, /none\.png/],
    [['recall', ...same, MEMORY], 2, /recall: must be given IMAGE or --text; see bitgen recall --help/],
    [['forget', ...same, MEMORY], 2, /forget/],
    [['teach', SQUARE, ...same, MEMORY], 2, /teach/],
    [['caption', SQUARE, '--top-p', 'many'], 2, /--top-p: must be a number, got "many"/],
    [['caption', SQUARE, '--model', MODEL, '--beams', '0.5'], 1, /beams/],
    [['one-shot', '--images', dir], 2, /--taught: must be given/],
    [['one-shot', '--images', dir, '--taught', 'x', '--queries', 'y', '--ways', 'few'], 2, /--ways: must be whole/],
  ] as [string[], number, RegExp][]) {
    const result = await bitgen(...args)
    assert.is(result.code, code, result.err)
    assert.match(result.err, error)
    assert.match(result.err, /^bitgen: [^\n]+\n$/)
  }
  assert.equal((await pupil(MEMORY)).memory.list(), [{ id: '3', label: 'a square' }])
})

test('whichever call fails, the old file stays and nothing is left beside it', () => {
  mkdirSync(at('replaced'))
  const path = at('replaced', 'file')
  replaceFile(path, Buffer.from('old'))
  const calls = ['openSync', 'writeSync', 'fsyncSync', 'closeSync', 'readFileSync', 'renameSync'] as const
  for (const call of calls) {
    const fail = () => {
      throw new Error('ENOSPC: no space left on device')
    }
    const fs: ReplacingFileSystem = { ...nodeFs, [call]: fail }
    assert.throws(
      () => replaceFile(path, Buffer.from('new'), fs),
      ({ message }: Error) =>
        message.startsWith(path) && /: must .*, got ENOSPC: no space left on device$/.test(message),
      call,
    )
    assert.is(readFileSync(path, 'utf8'), 'old', call)
    assert.equal(readdirSync(at('replaced')), ['file'], call)
  }
  let synced = 0
  replaceFile(path, Buffer.from('new'), {
    ...nodeFs,
    fsyncSync: (fd) => {
      synced++
      nodeFs.fsyncSync(fd)
    },
  })
  assert.is(synced, process.platform === 'win32' ? 1 : 2, 'the file, and its folder')
  assert.is(readFileSync(path, 'utf8'), 'new')
  assert.equal(readdirSync(at('replaced')), ['file'])
})

test.after(() => rmSync(dir, { recursive: true }))

test.run()
