/**
 * A child process for checkpoint.test.ts: saves checkpoints in a loop until it is killed, and says each step after it
 * was saved. Every tensor holds its step, so that a mixture of two files would show.
 */
import { writeSync } from 'node:fs'
import { saveCheckpoint } from '../../src/io/checkpoint.ts'

const [dir, first] = [process.argv[2], Number(process.argv[3])]
for (let step = first; ; step++) {
  const data = new Float32Array(300_000).fill(step)
  const tensors = new Map([['w', { dtype: 'F32' as const, shape: [300, 1000], data }]])
  saveCheckpoint(dir, step, tensors, { config: '{}' }, { best: step % 4 === 0 })
  // Synchronous: process.stdout may hold back what a kill then loses.
  writeSync(1, `${step}\n`)
}
