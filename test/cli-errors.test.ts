/** Help, and commands called wrongly or on what is not there: one line that says what must hold, and the exit code. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ANNOTATIONS, at, bitgen, checkpoints, dir, good, MODEL, writeConfig } from './cli-fixture.ts'

const COMMANDS = [
  ...['demo', 'search', 'similarity', 'match', 'caption', 'teach', 'recall', 'forget', 'taught'],
  ...['evaluate', 'one-shot', 'info', 'selftest', 'data', 'train', 'export'],
]

await good('train', '--config', writeConfig('short', {}))
await good('export', '--checkpoint', at('short', 'checkpoints', checkpoints('short')[0]), '--out', MODEL)
/** The model with one bit of its last weight turned. */
const DAMAGED = at('damaged.safetensors')
const bytes = readFileSync(MODEL)
bytes[bytes.length - 1] ^= 1
writeFileSync(DAMAGED, bytes)

test('every command explains itself, and the list names all of them', async () => {
  const list = await good('--help')
  for (const [, command] of list.matchAll(/^  ([a-z-]+) /gm)) assert.ok(COMMANDS.includes(command), command)
  for (const command of COMMANDS) {
    assert.match(list, new RegExp(`^  ${command}\\b`, 'm'))
    const help = await good(command, '--help')
    assert.match(help, new RegExp(`\\$ bitgen ${command}`))
    assert.match(help, '--help')
  }
  assert.match(await good('--version'), /^bitgen\/\d+\.\d+\.\d+ /)
})

for (const [args, error] of [
  [[], 'command: must be one of demo, search,'],
  [['paint'], /command: must be one of .*, got "paint"/],
  [['evaluate'], '--images: must be given; see bitgen evaluate --help'],
  [['evaluate', '--images', 'x'], '--annotations: must be given'],
  [['evaluate', '--model'], '--model <file>'],
  [['info', '--modle', 'x'], '--modle'],
  [['info', '--model', 'a', '--model', 'b'], '--model: must be given once'],
  [['info', '--model', ''], '--model: must not be empty'],
  [['train', '--config', at('short.json'), '--output='], '--output: must not be empty'],
  [
    ['train', '--config', at('short.json'), '--seed', '4294967296'],
    '--seed: must be a whole number from 0 to 2^32 - 1',
  ],
  [['data', 'photos'], /must be emoji, got "photos"/],
  [['similarity', 'x.png'], 'similarity'],
  [['search', '--images', 'x', 'two', 'words'], 'words'],
  [
    ['train', '--config', at('short.json'), '--allow-changed-config', 'yes'],
    '--allow-changed-config: must have no value',
  ],
] as [string[], string | RegExp][]) {
  test(`exits with 2: ${args.join(' ')}`, async () => {
    const { code, out, err } = await bitgen(...args)
    assert.is(code, 2)
    assert.is(out, '')
    assert.match(err, error)
    assert.match(err, /^bitgen: [^\n]+; see bitgen [a-z ]*--help\n$/)
  })
}

for (const [args, error] of [
  [['info', '--model', at('none')], at('none')],
  [['info', '--model', DAMAGED], `${DAMAGED}: must be a model file`],
  [['train', '--config', at('short.json'), '--init', DAMAGED], `${DAMAGED}: must be a model file`],
  [['info', '--model', ANNOTATIONS], `${ANNOTATIONS}: must be a model file`],
  [['similarity', '--model', MODEL, ANNOTATIONS, 'text'], 'decodeImage'],
  [['search', '--model', MODEL, '--images', at('none'), 'x'], 'must be a readable folder'],
  [['search', '--model', MODEL, '--images', at('short'), 'x'], 'must hold pictures'],
  [['evaluate', '--model', MODEL, '--images', at('none'), '--annotations', ANNOTATIONS], 'one must be readable'],
  [['evaluate', '--model', MODEL, '--images', dir, '--annotations', at('none')], 'must be a readable JSON file'],
  [['train', '--config', at('short.json'), '--output', ANNOTATIONS], `${ANNOTATIONS}: must be a folder to write to`],
  [['train', '--config', at('none')], 'must be a readable JSON file'],
  [['train', '--config', at('short.json'), '--init', ANNOTATIONS], 'must be a model file'],
  [['export', '--checkpoint', MODEL, '--out', at('x')], `${MODEL}: must be a checkpoint`],
] as [string[], string][]) {
  test(`exits with 1: ${args.join(' ').replaceAll(dir, '')}`, async () => {
    const { code, out, err } = await bitgen(...args)
    assert.is(code, 1)
    assert.is(out, '')
    const last = err.trimEnd().split('\n').at(-1)!
    assert.match(last, /^bitgen: /)
    assert.match(last, error)
    assert.not.match(err, /^ +at /m)
  })
}

test('a file is named although its name is part of a word of the error', async () => {
  writeFileSync(at('e'), bytes.subarray(0, 100))
  const before = process.cwd()
  process.chdir(dir)
  const { err } = await bitgen('info', '--model', 'e')
  process.chdir(before)
  assert.match(err, /^bitgen: e: must be a model file, got /)
})

test('BITGEN_DEBUG shows where an error comes from', async () => {
  process.env.BITGEN_DEBUG = '1'
  const { err } = await bitgen('info', '--model', at('none'))
  delete process.env.BITGEN_DEBUG
  assert.match(err, /^ +at /m)
})

test.after(() => rmSync(dir, { recursive: true }))

test.run()
