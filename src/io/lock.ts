/**
 * Keeps other processes of this machine from a file or folder (Node) while one changes it. Each puts PATH.PID.lock down
 * first and looks for those of others second, so of two at once never both go on. What a killed process left is known
 * by its id and removed; an id that another program was given meanwhile is the one case left to people.
 */
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { errorText, message } from '../base/errors.ts'

/** Paths that this process has locked. */
const held = new Set<string>()

/**
 * What `use` gives, called while no other call of withLock has `path`. Waits up to `waitMs` for another one to end;
 * then, and where the folder is not writable, throws an Error that names the path.
 */
export async function withLock<T>(path: string, waitMs: number, use: () => Promise<T>): Promise<T> {
  const key = resolve(path)
  const lock = lockOf(key, process.pid)
  const end = performance.now() + waitMs
  for (let other = take(); other !== undefined; other = take()) {
    if (performance.now() >= end) {
      const remedy = `if that is not bitgen, remove ${lockOf(key, other)}`
      throw new Error(message(path, `must be written by one process at a time; process ${other} does, ${remedy}`))
    }
    // Not the same for all, or two that began together would meet again and again.
    await setTimeout(20 + (process.pid % 50))
  }
  try {
    return await use()
  } finally {
    held.delete(key)
    rmSync(lock, { force: true })
  }

  /** Takes the lock, or gives the id of the process that has it. */
  function take(): number | undefined {
    if (held.has(key)) return process.pid
    try {
      writeFileSync(lock, '')
      const other = otherAt(key)
      if (other === undefined) held.add(key)
      else rmSync(lock)
      return other
    } catch (error) {
      throw new Error(message(path, 'must be writable', errorText(error)), { cause: error })
    }
  }
}

/** A living process other than this one with a lock; locks of those that are gone are cleared away. */
function otherAt(key: string): number | undefined {
  const start = `${basename(key)}.`
  for (const name of readdirSync(dirname(key))) {
    const pid = name.startsWith(start) ? /^(\d+)\.lock$/.exec(name.slice(start.length))?.[1] : undefined
    if (pid === undefined || Number(pid) === process.pid) continue
    if (isAlive(Number(pid))) return Number(pid)
    rmSync(join(dirname(key), name), { force: true })
  }
  return undefined
}

const lockOf = (key: string, pid: number) => `${key}.${pid}.lock`

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // One that must not be asked is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
