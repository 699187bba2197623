/** The lock between processes, by real ones: none comes in between, and one that was killed holds up nobody. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { withLock } from '../src/io/lock.ts'
import { trainConfig } from '../src/train/config.ts'
import { trainRun } from '../src/train/run.ts'
import { builtModule } from './support/kernels.ts'
import { shapeConfig } from './support/shapes.ts'

const dir = mkdtempSync(join(tmpdir(), 'bitgen-lock-'))
const started: ChildProcess[] = []
test.after(() => {
  // Where a test failed its child still holds the lock.
  for (const child of started) child.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

function start(path: string, times: number): ChildProcess {
  const script = join(import.meta.dirname, 'support', 'lock-child.ts')
  const args = ['--import', 'tsx', script, path, String(times)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  started.push(child)
  return child
}

const failure = (call: Promise<unknown>) =>
  call.then(
    () => '',
    (error: Error) => error.message,
  )

test('two processes lose nothing of what the other wrote', async () => {
  const path = join(dir, 'number')
  writeFileSync(path, '0')
  const children = [start(path, 30), start(path, 30)]
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'close'))[0] as number))
  assert.equal(codes, [0, 0])
  assert.is(readFileSync(path, 'utf8'), '60')
  assert.equal(readdirSync(dir), ['number'])
})

test('a file and a run that another process holds are refused by name, until it is killed', async () => {
  const output = join(dir, 'output')
  const config = trainConfig(shapeConfig({ output: 'output' }), dir)
  const kernels = await builtModule('simd128')
  assert.match(await failure(trainRun(config, { kernels })), /train\.json/)
  const path = join(output, 'run')
  const child = start(path, 0)
  await once(child.stdout!, 'data')
  const want = `${path}: must be written by one process at a time; process ${child.pid} does, `
  for (const call of [withLock(path, 0, async () => {}), trainRun(config, { kernels })]) {
    assert.is(await failure(call), `${want}if that is not bitgen, remove ${path}.${child.pid}.lock`)
  }
  assert.equal(readdirSync(output), [`run.${child.pid}.lock`])
  child.kill('SIGKILL')
  await once(child, 'close')
  assert.is(await withLock(path, 0, async () => readdirSync(output).length), 1)
  assert.equal(readdirSync(output), [])
})

test('within a process, too; a call that throws lets the next one in', async () => {
  const path = join(dir, 'within')
  await withLock(path, 0, async () => {
    assert.match(await failure(withLock(path, 0, async () => {})), `process ${process.pid} does`)
  })
  assert.is(await failure(withLock(path, 0, () => Promise.reject(new Error('own')))), 'own')
  assert.is(await withLock(path, 0, async () => 7), 7)
  assert.match(await failure(withLock(join(dir, 'none', 'x'), 0, async () => {})), /none\/x: must be writable/)
})

test.run()
