/**
 * Training runs on a tiny model: that it learns and the control does not, what a run leaves behind, and what it refuses,
 * skips or stops at.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { loadNewest, saveCheckpoint, type Checkpoint } from '../src/io/checkpoint.ts'
import type { Tensor } from '../src/io/safetensors.ts'
import { trainConfig } from '../src/train/config.ts'
import { loadTrainData } from '../src/train/data.ts'
import { readMetrics, secondsOf, type MetricsRow } from '../src/train/metrics.ts'
import { runPaths, type RunOptions, type RunState } from '../src/train/run.ts'
import { Trainer, type ValidationReport } from '../src/train/trainer.ts'
import { builtModule } from './support/kernels.ts'
import { shapeConfig, shapesFolder } from './support/shapes.ts'
import { trainShapes } from './support/train-shapes.ts'

const dir = await shapesFolder()

type Overrides = Record<string, unknown>

/** Goes on with the run in the folder `output` until it ends. */
const run = (output: string, ...rest: [overrides?: Overrides, options?: Partial<RunOptions>]) =>
  trainShapes(dir, output, ...rest)

const paths = (output: string) => runPaths(join(dir, output))
const rowsOf = (output: string) => readMetrics(paths(output).metrics)
const newest = (output: string) => loadNewest(paths(output).checkpoints)!
const progressOf = ({ metadata }: Checkpoint) => JSON.parse(metadata.progress) as RunState

/** The message that a promise fails with. */
async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.instance(error, Error)
  return (error as Error).message
}

test('a run learns to find pictures in a style that it never saw; memory does not grow', async () => {
  const kernels = await builtModule('simd128')
  const losses: number[] = []
  const bytes = new Set<number>()
  let last: ValidationReport | undefined
  const { reason } = await run(
    'learns',
    { steps: 120, batch: 16, evaluateEvery: 60, checkpointEvery: 60, queue: 0 },
    {
      kernels,
      onStep: ({ loss }) => {
        losses.push(loss)
        bytes.add(kernels.memory.buffer.byteLength)
      },
      onEvaluation: (report) => (last = report),
    },
  )
  assert.is(reason, 'finished')
  const mean = (part: number[]) => part.reduce((sum, one) => sum + one, 0) / part.length
  assert.ok(mean(losses.slice(-10)) < 0.6 * mean(losses.slice(0, 10)), `${losses}`)
  assert.is(last!.chance.t2i.r1, 6.25)
  assert.ok(last!.t2i.r1 >= 60 && last!.i2t.r1 >= 60, JSON.stringify(last))
  assert.is(bytes.size, 1)
})

test('the control does not learn', async () => {
  let last: ValidationReport | undefined
  const overrides = {
    steps: 120,
    batch: 16,
    evaluateEvery: 120,
    queue: 0,
    shufflePairs: true,
    losses: { imageContrast: 0 },
  }
  await run('control', overrides, { onEvaluation: (report) => (last = report) })
  assert.ok(last!.t2i.r1 <= 25, JSON.stringify(last))
})

test('a new run is centred on its samples', async () => {
  // 32 samples of 16 a step have every one of the 16 captions twice: their mean is that of the validation captions.
  const overrides = { batch: 16, centring: 32, captionWithKeywords: 0, keywordsAlone: 0, augmentation: null }
  const config = trainConfig(shapeConfig({ ...overrides, output: 'centred' }), dir)
  const kernels = await builtModule('simd128')
  const trainer = new Trainer(kernels, config, await loadTrainData(kernels, config))
  trainer.centre()
  const { data, executor } = trainer
  const { ids, lengths, T } = data.encode(data.validation.images.flatMap(({ captions }) => captions))
  const symbols = { B: 16, T }
  executor.io('encodeText', 'ids', symbols).set(ids)
  executor.io('encodeText', 'lengths', symbols).set(lengths)
  executor.run('encodeText', symbols)
  const y = executor.io('encodeText', 'text_projection', symbols)
  const C = trainer.model.channels
  let squares = 0
  for (let c = 0; c < C; c++) {
    let mean = 0
    for (let i = 0; i < 16; i++) {
      mean += y[i * C + c] / 16
      squares += y[i * C + c] ** 2
    }
    assert.ok(Math.abs(mean) < 1e-4, `${mean}`)
  }
  assert.ok(Math.abs(Math.sqrt(squares / y.length) - 0.5) < 1e-3)
})

test('a run leaves metrics, a report and checkpoints, which say nothing of time and machine', async () => {
  const notes: string[] = []
  await run('leaves', {}, { onNote: (line) => notes.push(line) })
  const rows = rowsOf('leaves')
  const steps = (kind: MetricsRow['kind']) => rows.filter((row) => row.kind === kind).map(({ step }) => step)
  assert.equal(steps('start'), [0])
  assert.equal(
    steps('step'),
    Array.from({ length: 12 }, (_, i) => i + 1),
  )
  assert.equal(steps('evaluation'), [5, 10, 12])
  const page = readFileSync(paths('leaves').report, 'utf8')
  assert.match(page, 'after 12 steps')
  assert.match(page, 'nearest training picture')
  assert.is(page.split('<article>').length - 1, 12)
  assert.match(notes[0], /^[\d,]+ parameters; memory \d+ MB: .*; 4 steps an epoch$/)
  assert.equal(notes.slice(1), [`report: ${paths('leaves').report}`])
  const { metadata } = newest('leaves')
  assert.equal(Object.keys(metadata).sort(), [
    'checksum',
    'config',
    'format',
    'kernels',
    'kind',
    'model',
    'progress',
    'source',
  ])
  for (const part of [dir, new Date().toISOString().slice(0, 10), process.version.slice(1)])
    assert.is(JSON.stringify(metadata).includes(part), false, part)
  // A finished run that is started again does nothing more than write its page.
  assert.is((await run('leaves')).progress.step, 12)
  assert.equal(steps('step').length, rowsOf('leaves').filter(({ kind }) => kind === 'step').length)
})

test('seconds of several parts add up', () => {
  const row = (kind: string, seconds?: number) => ({ kind, seconds, step: 1 }) as MetricsRow
  assert.is(secondsOf([row('start'), row('step', 2), row('step', 5), row('start'), row('step', 3)]), 8)
  assert.is(secondsOf([]), 0)
})

test('another configuration or other captions are refused by name, unless it is allowed', async () => {
  await run('changed', { steps: 4 })
  const error = await failure(run('changed', { steps: 8, rate: 0.001 }))
  assert.match(error, `${paths('changed').checkpoints}/step-00000004`)
  assert.match(error, /must have been made with this configuration; changed: rate 0.003 -> 0.001, steps 4 -> 8$/)
  const { progress } = await run('changed', { steps: 8, rate: 0.001 }, { allowChangedConfig: true })
  assert.is(progress.step, 8)
  const captions = JSON.parse(readFileSync(join(dir, 'train.json'), 'utf8'))
  captions.annotations[3].caption = 'red cross'
  captions.annotations[2].caption = 'red triangle red'
  writeFileSync(join(dir, 'other.json'), JSON.stringify(captions))
  const data = { ...shapeConfig().data, train: 'other.json' }
  assert.match(await failure(run('changed', { steps: 8, rate: 0.001, data })), /changed: data "\w+" -> "\w+"$/)
  const wider = { ...shapeConfig().model, channels: 64 }
  assert.match(
    await failure(run('changed', { steps: 8, rate: 0.001, model: wider }, { allowChangedConfig: true })),
    /must hold [\w.]+ \[[\d,]*64[\d,]*\], got \[[\d,]*32[\d,]*\]/,
  )
})

test('gradients that are not finite: steps are skipped and named, five in a row end the run', async () => {
  await run('poisoned', { steps: 4 })
  const { tensors, metadata, step } = newest('poisoned')
  ;(tensors.get('itc.text_proj.weight')!.data as Float32Array)[3] = NaN
  saveCheckpoint(paths('poisoned').checkpoints, step, tensors, metadata, { best: true })
  const error = await failure(run('poisoned', { steps: 20 }, { allowChangedConfig: true }))
  assert.match(error, /^train: gradients must be finite; those of the last 5 steps up to 9 were not, see pictures in /)
  assert.match(error, paths('poisoned').metrics)
  const rows = rowsOf('poisoned').filter((row) => row.kind === 'step')
  assert.equal(
    rows.map(({ skipped }) => skipped),
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map((at) => at > 4),
  )
  const ids = JSON.parse(readFileSync(join(dir, 'train.json'), 'utf8')).images.map(({ id }: { id: number }) => id)
  for (const { pictures, skipped } of rows) {
    assert.is(pictures?.length, skipped ? 8 : undefined)
    assert.ok(pictures?.every((id) => ids.includes(id)) ?? true)
  }
  const after = newest('poisoned')
  assert.equal([after.step, progressOf(after).skipped, progressOf(after).skippedInRow], [8, 4, 4])
  const bytes = ({ data }: Tensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  for (const [name, tensor] of tensors) {
    if (name !== 'touched') assert.ok(bytes(after.tensors.get(name)!).equals(bytes(tensor)), `${name} has changed`)
  }
})

test('training that gets no better ends, but not while it warms up, and stays ended', async () => {
  const overrides = { steps: 60, warmup: 10, evaluateEvery: 1, patience: 2, rate: 1e-9 }
  const first = await run('patience', overrides)
  assert.is(first.reason, 'no better for the patience given')
  assert.ok(first.progress.step >= 12 && first.progress.step < 60)
  assert.equal(await run('patience', overrides), first)
})

test('stopped while pictures load, a run ends at once and leaves no checkpoint', async () => {
  const stop = new AbortController()
  const onPictures: RunOptions['onPictures'] = (done) => done === 3 && stop.abort()
  const { reason, progress } = await run('early', {}, { signal: stop.signal, onPictures })
  assert.equal([reason, progress.step], ['stopped', 0])
  assert.equal(readdirSync(join(dir, 'early')), [])
})

test('a report that cannot be written is a note, not an end', async () => {
  mkdirSync(paths('noted').report, { recursive: true })
  const notes: string[] = []
  assert.is((await run('noted', { steps: 2 }, { onNote: (line) => notes.push(line) })).reason, 'finished')
  assert.match(notes.at(-1)!, /^no report: EISDIR/)
})

test.run()
