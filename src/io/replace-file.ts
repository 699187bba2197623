/**
 * Replaces a file on disk (Node) in one step: the bytes are written beside it, synced, and renamed, and the folder is
 * synced, so that a kill at any moment or a full disk leaves the old file or the new one. Of several processes that
 * write the same file the last one counts. Durable as far as fsync is.
 */
import * as nodeFs from 'node:fs'
import { dirname } from 'node:path'
import { errorText, message } from '../base/errors.ts'

/** What is used of node:fs; tests put failing calls in its place. */
export type ReplacingFileSystem = Pick<
  typeof nodeFs,
  'openSync' | 'writeFileSync' | 'fsyncSync' | 'closeSync' | 'renameSync' | 'rmSync'
>

/** Throws an Error that names the path; what was there before is then still there. */
export function replaceFile(path: string, bytes: Uint8Array, fs: ReplacingFileSystem = nodeFs): void {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    withFile(temporary, 'w', fs, (fd) => {
      fs.writeFileSync(fd, bytes)
      fs.fsyncSync(fd)
    })
    fs.renameSync(temporary, path)
    // Windows cannot sync folders.
    if (process.platform !== 'win32') withFile(dirname(path), 'r', fs, (fd) => fs.fsyncSync(fd))
  } catch (error) {
    removeQuietly(temporary, fs)
    throw new Error(message(path, 'must be writable', errorText(error)), { cause: error })
  }
}

function withFile(path: string, flags: 'r' | 'w', fs: ReplacingFileSystem, use: (fd: number) => void): void {
  const fd = fs.openSync(path, flags)
  try {
    use(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** The error that led here says more than one of this. */
function removeQuietly(path: string, fs: ReplacingFileSystem): void {
  try {
    fs.rmSync(path, { force: true })
  } catch {
    return
  }
}
