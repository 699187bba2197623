/**
 * A child process for lock.test.ts: adds one to the number in a file, as often as it is told, each time under the lock.
 * With 0 it takes the lock, says so and keeps it until it is killed. Arguments: file, times.
 */
import { readFileSync, writeFileSync, writeSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { withLock } from '../../src/io/lock.ts'

const [path, times] = [process.argv[2], Number(process.argv[3])]
for (let i = 0; i < times; i++) {
  await withLock(path, 60_000, async () => {
    const before = Number(readFileSync(path, 'utf8'))
    // Long enough for the other to come in between, if it could.
    await setTimeout(2)
    writeFileSync(path, String(before + 1))
  })
}
if (times === 0) {
  await withLock(path, 0, async () => {
    writeSync(1, 'held')
    await setTimeout(600_000)
  })
}
