/**
 * Checkpoints: what stays, what is skipped, what survives when any call fails or the process is killed.
 * BITGEN_KILLS sets the number of kills (`npm run torture` asks for 200).
 */
import { spawn } from 'node:child_process'
import * as nodeFs from 'node:fs'
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadNewest, readCheckpoint, saveCheckpoint, type FileSystem } from '../src/io/checkpoint.ts'
import type { Tensor } from '../src/io/safetensors.ts'

const KILLS = Number(process.env.BITGEN_KILLS ?? 4)

const test = suite<{ dir: string }>('checkpoint')
test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'bitgen-checkpoint-'))
})
test.after.each(({ dir }) => rmSync(dir, { recursive: true, force: true }))

const tensorsOf = (step: number) =>
  new Map<string, Tensor>([['w', { dtype: 'F32', shape: [3], data: Float32Array.of(step, -step, 0.5) }]])
const save = (dir: string, step: number, options = {}) =>
  saveCheckpoint(dir, step, tensorsOf(step), { seed: '7' }, options)
const stepsIn = (dir: string) =>
  readdirSync(dir)
    .sort()
    .map((name) => name.replace(/^step-0*|\.safetensors/g, ''))

/** What the newest of the best holds; undefined where there is none. */
const bestIn = (dir: string) => {
  const name = readdirSync(dir)
    .sort()
    .findLast((one) => one.endsWith('.best.safetensors'))
  return name && readCheckpoint(join(dir, name)).tensors
}

test('what is saved is loaded', ({ dir }) => {
  const nested = join(dir, 'run', 'one')
  assert.is(loadNewest(nested), undefined)
  const path = save(nested, 120)
  assert.is(path, join(nested, 'step-00000120.safetensors'))
  const loaded = loadNewest(nested)!
  assert.is(loaded.step, 120)
  assert.is(loaded.path, path)
  assert.is(loaded.metadata.seed, '7')
  assert.equal(loaded.tensors, tensorsOf(120))
  assert.equal(loaded.skipped, [])
})

test('the last three and the best stay', ({ dir }) => {
  for (const step of [10, 20, 30, 40, 50, 60]) save(dir, step, { best: step === 10 || step === 20 })
  assert.equal(stepsIn(dir), ['20.best', '40', '50', '60'])
  assert.equal(bestIn(dir), tensorsOf(20))
  assert.is(loadNewest(dir)!.step, 60)
  save(dir, 70, { keep: 1 })
  assert.equal(stepsIn(dir), ['20.best', '70'])
  // A run that was resumed from an earlier step writes a step below others.
  save(dir, 5, { keep: 1 })
  assert.equal(stepsIn(dir), ['5', '20.best', '70'])
})

test('other files are left alone, a stale temporary is removed', ({ dir }) => {
  for (const name of ['notes.txt', 'step-1.safetensors', 'other.tmp', 'step-00000003.safetensors.7.tmp']) {
    writeFileSync(join(dir, name), 'x')
  }
  assert.is(loadNewest(dir), undefined)
  save(dir, 1)
  assert.equal(readdirSync(dir).sort(), ['notes.txt', 'other.tmp', 'step-00000001.safetensors', 'step-1.safetensors'])
})

test('damaged files are skipped and named', ({ dir }) => {
  const [first, second, third] = [10, 20, 30].map((step) => save(dir, step))
  truncateSync(third, 100)
  const flipped = readFileSync(second)
  flipped[flipped.length - 1] ^= 1
  writeFileSync(second, flipped)
  const loaded = loadNewest(dir)!
  assert.is(loaded.step, 10)
  assert.equal(
    loaded.skipped.map(({ path }) => path),
    [third, second],
  )
  assert.match(loaded.skipped[0].why, /header of \d+ bytes must be complete/)
  assert.match(loaded.skipped[1].why, /the checksum must be/)
  writeFileSync(first, 'x')
  assert.throws(() => loadNewest(dir), /one checkpoint must verify; .*step-00000030.*step-00000020.*step-00000010/)
  assert.throws(
    () => readCheckpoint(first),
    (error: Error) => error.message.includes(first),
  )
})

/** node:fs whose n-th call (from 1) fails; `calls` counts them. */
function failing(n: number, code: string): { fs: FileSystem; calls: () => number } {
  let count = 0
  const guard =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    (...args: A): R => {
      if (++count === n) throw Object.assign(new Error(`${code}: failed on purpose`), { code })
      return call(...args)
    }
  const fs: FileSystem = {
    mkdirSync: guard((path, options) => nodeFs.mkdirSync(path, options)),
    readdirSync: guard((path) => nodeFs.readdirSync(path)),
    openSync: guard((path, flags) => nodeFs.openSync(path, flags)),
    // Half of what is asked for, as a file system may.
    writeSync: guard((fd, bytes, at, length) => nodeFs.writeSync(fd, bytes, at, Math.ceil(length / 2))),
    fsyncSync: guard((fd) => nodeFs.fsyncSync(fd)),
    closeSync: guard((fd) => nodeFs.closeSync(fd)),
    readFileSync: guard((path) => nodeFs.readFileSync(path)),
    renameSync: guard((from, to) => nodeFs.renameSync(from, to)),
    unlinkSync: guard((path) => nodeFs.unlinkSync(path)),
  }
  return { fs, calls: () => count }
}

test('whichever call fails, the error names the path and a good checkpoint is there', ({ dir }) => {
  for (const code of ['ENOSPC', 'EROFS', 'EIO']) {
    for (let n = 1, done = false; !done; n++) {
      const run = join(dir, `${code}-${n}`)
      for (const step of [10, 20, 30]) save(run, step, { best: step === 10 })
      writeFileSync(join(run, 'step-00000005.safetensors.7.tmp'), 'stale')
      const { fs, calls } = failing(n, code)
      try {
        save(run, 40, { fs })
        done = calls() < n
        assert.ok(done, `call ${n} failed and nothing was said`)
      } catch (error) {
        const { message } = error as Error
        assert.ok(message.startsWith(run) && message.includes(code), message)
      }
      const { step, skipped, tensors } = loadNewest(run)!
      assert.ok(step === 30 || step === 40, `step ${step} after call ${n}`)
      assert.equal(skipped, [])
      assert.equal(tensors, tensorsOf(step))
      assert.equal(bestIn(run), tensorsOf(10))
      // The next save finds its way from whatever was left.
      save(run, 50)
      assert.equal(
        stepsIn(run).filter((name) => name.endsWith('.tmp')),
        [],
      )
      assert.is(loadNewest(run)!.step, 50)
      if (done) assert.ok(n > 15, `${n - 1} calls`)
    }
  }
})

test('a disk that takes no more bytes is an error, not a loop', ({ dir }) => {
  save(dir, 10)
  const fs: FileSystem = { ...nodeFs, writeSync: () => 0, readdirSync: (path) => nodeFs.readdirSync(path) }
  assert.throws(
    () => save(dir, 20, { fs }),
    /step-00000020.safetensors.\d+.tmp: must be written to its end, got 0 bytes/,
  )
  assert.equal(stepsIn(dir), ['10'])
})

test('bytes that read back differently are not kept', ({ dir }) => {
  save(dir, 10)
  const readFileSync = (path: string) => nodeFs.readFileSync(path).fill(0, 200)
  assert.throws(() => save(dir, 20, { fs: { ...nodeFs, readFileSync } as FileSystem }), /must hold what was written/)
  assert.equal(stepsIn(dir), ['10'])
})

test('a folder that cannot be made is named', ({ dir }) => {
  const file = join(dir, 'file')
  writeFileSync(file, '')
  assert.throws(() => save(join(file, 'run'), 1), /file\/run: must be created, got E(NOTDIR|EXIST)/)
})

test('values are checked', ({ dir }) => {
  assert.throws(() => save(dir, -1), /step must be a whole number from 0, got -1/)
  assert.throws(() => save(dir, 1, { keep: 0 }), /keep must be a whole number from 1, got 0/)
})

/** Starts a process that saves from `first` on, kills it `delay` ms after its first word; the last step it said. */
function saveAndKill(dir: string, first: number, delay: number): Promise<number> {
  return new Promise((resolve) => {
    const script = join(import.meta.dirname, 'support', 'save-forever.ts')
    const child = spawn(process.execPath, ['--import', 'tsx', script, dir, String(first)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (chunk) => {
      if (said === '') setTimeout(() => child.kill('SIGKILL'), delay)
      said += chunk
    })
    child.on('close', () => resolve(Number(said.trim().split('\n').at(-1))))
  })
}

test(`${KILLS} times kill -9 in the middle of saving`, async ({ dir }) => {
  for (let kill = 0, first = 1; kill < KILLS; kill++) {
    const said = await saveAndKill(dir, first, 11 + ((kill * 37) % 50))
    assert.ok(said >= first, `the child saved nothing from step ${first}`)
    const { step, skipped, tensors } = loadNewest(dir)!
    assert.ok(step === said || step === said + 1, `step ${step} after ${said} was saved`)
    assert.equal(skipped, [])
    assert.ok((tensors.get('w')!.data as Float32Array).every((value) => value === step))
    assert.is(bestIn(dir) === undefined, step < 4)
    first = step + 1
  }
})

test.run()
