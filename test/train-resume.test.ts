/**
 * A run that is stopped, killed or let down by its disk ends in the same bytes as one that is not. On a tiny model and
 * one instruction set; BITGEN_KILLS sets the number of kills (`npm run torture` asks for 200).
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as nodeFs from 'node:fs'
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { errorText } from '../src/base/errors.ts'
import { loadNewest, type FileSystem } from '../src/io/checkpoint.ts'
import { trainConfig } from '../src/train/config.ts'
import { readMetrics } from '../src/train/metrics.ts'
import { runPaths, trainRun, type RunOptions } from '../src/train/run.ts'
import { builtModule } from './support/kernels.ts'
import { shapeConfig, shapesFolder } from './support/shapes.ts'
import { trainShapes } from './support/train-shapes.ts'

const KILLS = Number(process.env.BITGEN_KILLS ?? 4)

const dir = await shapesFolder()

type Overrides = Record<string, unknown>

/** Goes on with the run in the folder `output` until it ends. */
const run = (output: string, ...rest: [overrides?: Overrides, options?: Partial<RunOptions>]) =>
  trainShapes(dir, output, ...rest)

const checkpoints = (output: string) => runPaths(join(dir, output)).checkpoints

/** Name and sha256 of the last checkpoint of a run. */
function last(output: string): string[] {
  const name = readdirSync(checkpoints(output)).sort().at(-1)!
  const bytes = readFileSync(join(checkpoints(output), name))
  return [name, createHash('sha256').update(bytes).digest('hex')]
}

/** What metrics.jsonl says of the steps and evaluations; not what a new process counts anew. */
function metrics(output: string): unknown[] {
  return readMetrics(runPaths(join(dir, output)).metrics).flatMap((row) => {
    if (row.kind === 'start') return []
    return [row.kind === 'step' ? { ...row, seconds: 0 } : { ...row, seconds: 0, flips: 0 }]
  })
}

const VARIANTS = [
  { name: 'queue and image contrast', overrides: {}, every: 2 },
  // So slow that the first evaluation stays the best: a resumed run must know of it.
  {
    name: 'accumulation, no progress',
    overrides: { accumulate: 2, batch: 4, losses: { imageContrast: 0 }, evaluateEvery: 3, rate: 1e-8 },
    every: 5,
  },
]

for (const { name, overrides, every } of VARIANTS) {
  test(`${name}: stopped every ${every} steps, the same bytes`, async () => {
    const whole = `whole ${name}`
    const parts = `parts ${name}`
    assert.is((await run(whole, overrides)).reason, 'finished')
    for (let step = every; step < 12; step += every) {
      const stop = new AbortController()
      const onStep: RunOptions['onStep'] = (report) => report.step === step && stop.abort()
      const { reason, progress } = await run(parts, overrides, { signal: stop.signal, onStep })
      assert.equal([reason, progress.step], ['stopped', step])
      assert.is(loadNewest(checkpoints(parts))!.step, step)
    }
    assert.is((await run(parts, overrides)).reason, 'finished')
    assert.equal(last(parts), last(whole))
    assert.equal(metrics(parts), metrics(whole))
  })
}

test('another folder and another process begun later: the same bytes', async () => {
  const other = join(dir, 'elsewhere')
  for (const part of ['images', 'train.json', 'validation.json'])
    cpSync(join(dir, part), join(other, part), { recursive: true })
  await run('here')
  const config = trainConfig(shapeConfig({ output: '../there' }), other)
  await trainRun(config, { kernels: await builtModule('simd128') })
  assert.equal(last('there'), last('here'))
})

test('another seed: other bytes', async () => {
  await run('seed 5')
  await run('seed 6', { seed: 6 })
  assert.not.equal(last('seed 5'), last('seed 6'))
})

/** node:fs, of which the call `name` fails from its `nth` on; a failing write has written half of its bytes. */
function failing(name: 'writeSync' | 'fsyncSync' | 'renameSync' | 'readFileSync', nth: number): FileSystem {
  let calls = 0
  const fs = { ...nodeFs } as unknown as Record<string, (...args: unknown[]) => unknown>
  const real = fs[name]
  fs[name] = (...args) => {
    if (++calls < nth) return real(...args)
    if (name === 'writeSync') nodeFs.writeSync(args[0] as number, args[1] as Uint8Array, 0, 1000)
    throw Object.assign(new Error('EIO: injected'), { code: 'EIO' })
  }
  return fs as unknown as FileSystem
}

// Checkpoints of the run follow steps 4, 5 (the best so far), 8, ...; a save syncs its file, then the folder.
const FAILURES = [
  { call: 'writeSync', nth: 2, must: 'be written to its end', stands: 4 },
  { call: 'fsyncSync', nth: 3, must: 'reach the disk', stands: 4 },
  { call: 'readFileSync', nth: 3, must: 'be read back', stands: 5 },
  { call: 'renameSync', nth: 3, must: 'be renamed from its temporary', stands: 5 },
  // The folder could not be synced, but the file is whole.
  { call: 'fsyncSync', nth: 6, must: 'reach the disk', stands: 8 },
] as const

test('a failure between write, fsync and rename leaves the old checkpoint', async () => {
  await run('sound')
  for (const { call, nth, must, stands } of FAILURES) {
    const output = `failing ${call} ${nth}`
    const error = await run(output, {}, { fs: failing(call, nth) }).catch((reason: unknown) => reason)
    assert.instance(error, Error)
    assert.match(errorText(error), `${checkpoints(output)}`)
    assert.match(errorText(error), `must ${must}, got EIO: injected`)
    const newest = loadNewest(checkpoints(output))!
    assert.equal([newest.step, newest.skipped], [stands, []])
    await run(output)
    assert.equal(last(output), last('sound'))
  }
})

/** Starts a process that goes on with a run and kills it `delay` ms after its first step; whether it came to that. */
function runAndKill(config: Overrides, delay: number): Promise<boolean> {
  return new Promise((resolve) => {
    const script = join(import.meta.dirname, 'support', 'train-child.ts')
    const args = ['--import', 'tsx', script, dir, JSON.stringify(config)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), delay))
    child.on('close', (_, signal) => resolve(signal === 'SIGKILL'))
  })
}

test(`${KILLS} times kill -9 in the middle of a run, the same bytes`, async () => {
  // A checkpoint after every step, so that kills meet saves; more steps than the children can do.
  const overrides = { steps: 20 * KILLS + 20, checkpointEvery: 1, evaluateEvery: 7 }
  await run('unharmed', overrides)
  for (let kill = 0, step = 0; kill < KILLS; kill++) {
    const killed = await runAndKill(shapeConfig({ ...overrides, output: 'killed' }), (kill * 37) % 110)
    assert.ok(killed, 'the child must have been killed before its end')
    const newest = loadNewest(checkpoints('killed'))
    assert.equal(newest?.skipped ?? [], [], 'no file may be damaged')
    assert.ok((newest?.step ?? 0) >= step, `step ${newest?.step} after ${step}`)
    step = newest?.step ?? 0
  }
  assert.is((await run('killed', overrides)).reason, 'finished')
  assert.equal(last('killed'), last('unharmed'))
  assert.equal(metrics('killed'), metrics('unharmed'))
})

test.run()
