/**
 * Replaces a file on disk (Node) in one step: the bytes are written beside it, synced, read back and renamed, and the
 * folder is synced, so that a kill at any moment, a full disk or a failing call leaves the old file or the new one. Of
 * several processes that write the same file the last one counts. Durable as far as fsync is.
 */
import * as nodeFs from 'node:fs'
import { dirname } from 'node:path'
import { attempt } from '../base/errors.ts'

/** What is used of node:fs; tests put failing calls in its place. */
export interface ReplacingFileSystem {
  openSync(path: string, flags: 'r' | 'w'): number
  writeSync(fd: number, bytes: Uint8Array, offset: number, length: number): number
  fsyncSync(fd: number): void
  closeSync(fd: number): void
  readFileSync(path: string): Uint8Array
  renameSync(from: string, to: string): void
  unlinkSync(path: string): void
}

/** writeSync takes less than 2^31 bytes at once. */
const CHUNK = 2 ** 26

/** Throws an Error that names the path and the call that failed; what was there before is then still there. */
export function replaceFile(path: string, bytes: Uint8Array, fs: ReplacingFileSystem = nodeFs): void {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    withFile(temporary, 'w', fs, (fd) => {
      attempt(temporary, 'must be written to its end', () => writeAll(fd, bytes, fs))
      attempt(temporary, 'must reach the disk', () => fs.fsyncSync(fd))
    })
    const written = attempt(temporary, 'must be read back', () => Buffer.from(fs.readFileSync(temporary)))
    if (!written.equals(bytes)) throw new Error(`${temporary}: must hold what was written, got other bytes`)
    attempt(path, 'must be renamed from its temporary', () => fs.renameSync(temporary, path))
  } catch (error) {
    removeQuietly(temporary, fs)
    throw error
  }
  // Makes the rename durable. Windows cannot sync folders.
  if (process.platform === 'win32') return
  const folder = dirname(path)
  withFile(folder, 'r', fs, (fd) => attempt(folder, 'must reach the disk', () => fs.fsyncSync(fd)))
}

function withFile(path: string, flags: 'r' | 'w', fs: ReplacingFileSystem, use: (fd: number) => void): void {
  const must = flags === 'w' ? 'must be writable' : 'must be readable'
  const fd = attempt(path, must, () => fs.openSync(path, flags))
  try {
    use(fd)
  } finally {
    attempt(path, 'must be closed', () => fs.closeSync(fd))
  }
}

function writeAll(fd: number, bytes: Uint8Array, fs: ReplacingFileSystem): void {
  for (let at = 0; at < bytes.length;) {
    const written = fs.writeSync(fd, bytes, at, Math.min(CHUNK, bytes.length - at))
    if (written <= 0) throw new Error(`${written} bytes written at ${at} of ${bytes.length}`)
    at += written
  }
}

/** The error that led here says more than one of this. */
function removeQuietly(path: string, fs: ReplacingFileSystem): void {
  try {
    fs.unlinkSync(path)
  } catch {
    return
  }
}
