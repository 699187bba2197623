/** What a model tells of its training: read from the metrics beside the checkpoint, and of this source tree alone. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { commitOf, recordOf } from '../src/train/record.ts'

const dir = realpathSync(mkdtempSync(join(tmpdir(), 'bitgen-record-')))
test.after(() => rmSync(dir, { recursive: true, force: true }))

const metadata = {
  config: JSON.stringify({ seed: 3, batch: 8, accumulate: 2 }),
  progress: JSON.stringify({ step: 5 }),
}

test('the metrics of a run are found from within the folder of its checkpoints too', () => {
  const run = join(dir, 'run')
  mkdirSync(join(run, 'checkpoints'), { recursive: true })
  const rows = [
    { kind: 'start', step: 0, cores: 4, threads: 1 },
    { kind: 'step', step: 4, seconds: 10 },
    { kind: 'start', step: 4, cores: 8, threads: 2 },
    { kind: 'step', step: 5, seconds: 3 },
    { kind: 'step', step: 6, seconds: 9 },
  ]
  writeFileSync(join(run, 'metrics.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const before = process.cwd()
  process.chdir(join(run, 'checkpoints'))
  try {
    for (const path of ['step-00000005.safetensors', join(run, 'checkpoints', 'step-00000005.safetensors')]) {
      const { steps, images, seconds, cores, threads } = recordOf(path, { metadata })
      assert.equal(
        { steps, images, seconds, cores, threads },
        { steps: 5, images: 80, seconds: 13, cores: 8, threads: 2 },
      )
    }
  } finally {
    process.chdir(before)
  }
})

test('without metrics the record has what the checkpoint says, and claims no machine', () => {
  const record = recordOf(join(dir, 'elsewhere', 'step-00000005.safetensors'), { metadata })
  assert.equal(Object.keys(record).sort(), ['config', 'images', 'seed', 'steps'])
})

test('the commit is that of the checkout that a file belongs to, not of one that it is merely installed in', () => {
  const project = join(dir, 'project')
  const installed = join(project, 'node_modules')
  mkdirSync(installed, { recursive: true })
  for (const file of [join(project, 'own.js'), join(installed, 'installed.js')]) writeFileSync(file, '')
  const git = (...args: string[]) => execFileSync('git', args, { cwd: project }).toString().trim()
  git('init', '--quiet')
  git('add', 'own.js')
  git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '--quiet', '--message', 'one')
  assert.is(commitOf(join(project, 'own.js')), git('rev-parse', '--short=12', 'HEAD'))
  assert.is(commitOf(join(installed, 'installed.js')), null)
  assert.is(commitOf(join(dir, 'nowhere', 'file.js')), null)
})

test.run()
