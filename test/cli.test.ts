/**
 * The commands as a person calls them: a tiny model is trained, exported, described and asked by them. What they print
 * is compared with the library's own vectors and a ranking that is written out below.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { duration } from '../src/base/readable.ts'
import { figureRows, recordedResult } from '../src/cli/figures.ts'
import { table } from '../src/cli/table.ts'
import { kernelsText } from '../src/cli/info.ts'
import { BitGen } from '../src/index.ts'
import {
  ANNOTATIONS,
  at,
  bitgen,
  checkpoints,
  dir,
  entries,
  good,
  MODEL,
  writeCaptions,
  writeConfig,
} from './cli-fixture.ts'

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))

test('trains, goes on where it stopped, and exports', async () => {
  const config = writeConfig('short', {})
  assert.match(await good('train', '--config', config), /^finished at step 3 of 3\n/)
  const [file] = checkpoints('short')
  assert.match(file, /step-00000003/)
  assert.match(await good('train', '--config', config), /^finished at step 3 of 3\n/)

  const elsewhere = await good('train', '--config', config, '--output', at('elsewhere'))
  assert.match(elsewhere, at('elsewhere', 'checkpoints'))
  assert.equal(checkpoints('elsewhere'), [file])

  writeConfig('short', { rate: 0.5 })
  const changed = await bitgen('train', '--config', config)
  assert.is(changed.code, 1)
  assert.match(changed.err, 'rate 0.0002 -> 0.5')
  assert.match(await good('train', '--config', config, '--allow-changed-config'), 'finished')

  const printed = await good('export', '--checkpoint', at('short', 'checkpoints', file), '--out', MODEL)
  assert.match(printed, MODEL)
  const written = readdirSync(dirname(MODEL)).filter((name) => name.startsWith(basename(MODEL)))
  assert.equal(written, [basename(MODEL)])
  assert.match(await good('train', '--config', writeConfig('again', {}), '--init', MODEL), 'finished')
})

test('Ctrl-C, delivered twice, finishes the step, saves and exits with 0', async () => {
  const config = writeConfig('long', { steps: 1_000_000, checkpointEvery: 1_000_000, evaluateEvery: 1_000_000 })
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, 'train', '--config', config])
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  const ended = new Promise((resolve) => child.on('close', resolve))
  const metrics = at('long', 'metrics.jsonl')
  while (child.exitCode === null && !(existsSync(metrics) && readFileSync(metrics, 'utf8').includes('"step":2,'))) {
    await setTimeout(50)
  }
  // Two different signals, because the system may join two that are the same.
  child.kill('SIGINT')
  child.kill('SIGTERM')
  assert.is(await ended, 0, err)
  const step = /^stopped at step ([\d,]+) of 1,000,000; the same command goes on/.exec(out)
  assert.ok(step, out)
  assert.equal(checkpoints('long'), [`step-${step![1].replaceAll(',', '').padStart(8, '0')}.safetensors`])
})

test('info tells which kernels were tried and which fail', () => {
  const trials = [{ family: 'f', microseconds: [['f__a', 1] as [string, number], ['f__b', 2.26] as [string, number]] }]
  assert.is(kernelsText({ isa: 'simd128', trials: [], struckOut: new Map() }), 'simd128')
  assert.is(
    kernelsText({ isa: 'relaxed', trials, struckOut: new Map([['f__c', 'wrong result']]) }),
    'relaxed; f__a (1.0 us) before f__b (2.3 us); not f__c: wrong result',
  )
})

test('info says what the file holds', async () => {
  const out = await good('info', '--model', MODEL)
  const model = await BitGen.load(MODEL)
  const { parameters, isa, memory, trials } = model.info()
  assert.match(out, /^short\n/)
  assert.match(out, new RegExp(`kernels +${isa}`))
  for (const [kernel] of trials.flatMap(({ microseconds }) => microseconds)) assert.match(out, `${kernel} (`)
  assert.match(out, `${(readFileSync(MODEL).length / 1e3).toFixed(1)} kB, ${MODEL}`)
  assert.match(out, `${(memory.total / 1e3).toFixed(1)} kB beside the pictures`)
  assert.match(out, '3 steps, 12 images, seed 0')
  const { total, ...parts } = parameters
  assert.is(
    Object.values(parts).reduce((sum, n) => sum + n, 0),
    total,
  )
  for (const [part, n] of Object.entries(parameters)) {
    const digits = String(n).replaceAll(/\B(?=(\d{3})+$)/g, ',')
    assert.match(out, new RegExp(`^  ${part} +${digits}$`, 'm'))
  }
})

/** Cosines of every text with every picture, from the library: [texts][pictures]. */
async function cosines(texts: readonly string[], files: readonly string[]): Promise<number[][]> {
  const model = await BitGen.load(MODEL)
  const rows = async (features: Promise<{ data: Float32Array; shape: number[] }>) => {
    const { data, shape } = await features
    return Array.from({ length: shape[0] }, (_, i) => [...data.subarray(i * shape[1], (i + 1) * shape[1])])
  }
  const pictures = await rows(model.embedImage(files.map((file) => at('images', file))))
  return (await rows(model.embedText(texts))).map((text) =>
    pictures.map((picture) => picture.reduce((sum, value, c) => sum + value * text[c], 0)),
  )
}

test('similarity prints the cosine of every text, those after -- too', async () => {
  const texts = ['red square', '42', '-a dash']
  const [first, second, third] = await cosines(texts, ['red-square.png'])
  const out = await good(
    'similarity',
    '--model',
    MODEL,
    at('images', 'red-square.png'),
    'red square',
    '42',
    '--',
    '-a dash',
  )
  const got = out
    .trimEnd()
    .split('\n')
    .map((line) => /^ *(-?[\d.]+)  (.*)$/.exec(line)!.slice(1))
  const want = [first, second, third].map(([cosine], i) => [cosine.toFixed(3), texts[i]])
  assert.equal(got, want)
})

test('search ranks the pictures of all folders and names what it cannot read', async () => {
  writeFileSync(at('images', 'more', 'broken.PNG'), 'not a picture')
  writeFileSync(at('images', 'notes.txt'), 'not looked at')
  const { code, out, err } = await bitgen('search', '--images', at('images'), '--model', MODEL, 'blue disc')
  rmSync(at('images', 'more', 'broken.PNG'))
  assert.is(code, 0)
  assert.match(err, /left out: .*broken\.PNG/)
  assert.not.match(err, 'notes.txt')
  const files = entries.map(({ file }) => file)
  const [scores] = await cosines(['blue disc'], files)
  const want = files.map((file, i) => ({ file, score: scores[i] })).sort((a, b) => b.score - a.score)
  const got = out
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split('  '))
  assert.equal(
    got,
    want.map(({ file, score }) => [score.toFixed(3), at('images', file)]),
  )
})

test('evaluate reports the recalls of a ranking by hand, in the file too', async () => {
  const out = await good(
    ...['evaluate', '--model', MODEL, '--images', at('images'), '--annotations', ANNOTATIONS],
    ...['--json', at('report.json')],
  )
  const report = JSON.parse(readFileSync(at('report.json'), 'utf8'))
  const captions = entries.flatMap(({ captions }, owner) => captions.map((text) => ({ text, owner })))
  const all = await cosines(
    captions.map(({ text }) => text),
    entries.map(({ file }) => file),
  )
  const rankOfText = all.map((scores, c) => scores.filter((score) => score >= scores[captions[c].owner]).length)
  const rankOfImage = entries.map((_, i) => {
    const best = Math.max(...captions.map(({ owner }, c) => (owner === i ? all[c][i] : -Infinity)))
    return 1 + captions.filter(({ owner }, c) => owner !== i && all[c][i] >= best).length
  })
  for (const [way, ranks] of Object.entries({ t2i: rankOfText, i2t: rankOfImage })) {
    const recall = (k: number) => (100 * ranks.filter((rank) => rank <= k).length) / ranks.length
    assert.is(report[way].r1, recall(1), way)
    assert.is(report[way].r5, recall(5), way)
    assert.is(report[way].r10, 100, way)
    assert.match(
      out,
      new RegExp(`short +${recall(1).toFixed(1)} +${recall(5).toFixed(1)} +100.0 +${report[way].medianRank}\n`),
    )
  }
  const parts = ['images', 'captions', 't2i', 'i2t', 'chance', 'reranked', 'matching', 'captioning', 'text']
  assert.equal(Object.keys(report), parts)
  assert.equal([report.images, report.captions, report.chance.t2i.r1], [8, 9, 12.5])
})

test('evaluate leaves out what it cannot read, captions and all', async () => {
  const broken = { file: 'broken.png', captions: ['nothing', 'to see'] }
  writeFileSync(at('images', broken.file), '')
  const annotations = writeCaptions('broken.json', [broken, ...entries])
  const same = ['evaluate', '--model', MODEL, '--images', at('images')]
  const whole = await bitgen(...same, '--annotations', annotations, '--json', at('broken-report.json'))
  rmSync(at('images', broken.file))
  assert.is(whole.code, 0)
  assert.match(whole.err, /left out: .*broken\.png/)
  assert.equal(readFileSync(at('broken-report.json')), readFileSync(at('report.json')))
})

test('recorded figures of another form are left out', () => {
  const [t2i, i2t] = [1, 2].map((r1) => ({ r1, r5: 50, r10: 100 }))
  const report = { images: 2, captions: 2, t2i, i2t, chance: { t2i, i2t } }
  const rows = (yardsticks: object) => figureRows('model', recordedResult({ ...report, ...yardsticks })!)
  assert.equal(
    rows({ pixelBaseline: { n: 2, unknown: 0, t2i, i2t }, control: { t2i: { at1: 0.5 }, i2t } }).map(
      ({ name }) => name,
    ),
    ['model', 'nearest by pixels', 'chance'],
  )
  assert.is(recordedResult({ ...report, t2i: 3 }), undefined)
  assert.is(recordedResult(null), undefined)
})

test('tables are flush, times are words', () => {
  assert.is(
    table(
      [
        ['a', '1', 'x'],
        ['bcd', '22', ''],
      ],
      [1],
    ),
    'a     1  x\nbcd  22',
  )
  assert.equal([0.4, 59.6, 61, 3599, 3600, 5430, 90_000].map(duration), [
    '0 s',
    '1 min',
    '1 min',
    '1 h',
    '1 h',
    '1 h 31 min',
    '25 h',
  ])
})

test.after(() => rmSync(dir, { recursive: true }))

test.run()
