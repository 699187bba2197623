/**
 * Checkpoints of training on disk (Node): one sealed safetensors file a step, `step-00000120.safetensors`, or
 * `step-00000120.best.safetensors` where it is the best so far. A file gets its name only when its bytes are on the disk
 * and read back equal, and an older one goes only when the newer stands, so a kill at any moment, a full disk or a
 * failing call leaves the last good checkpoint. One process writes a folder. Durable as far as fsync is.
 */
import { createHash } from 'node:crypto'
import * as nodeFs from 'node:fs'
import { join } from 'node:path'
import { errorText, requireThat } from '../base/errors.ts'
import { dataSection, readSafetensors, sealSafetensors, type Container, type Tensor } from './safetensors.ts'

/** What is used of node:fs; tests put failing calls in its place. */
export interface FileSystem {
  mkdirSync(path: string, options: { recursive: true }): unknown
  readdirSync(path: string): string[]
  openSync(path: string, flags: 'r' | 'w'): number
  writeSync(fd: number, bytes: Uint8Array, offset: number, length: number): number
  fsyncSync(fd: number): void
  closeSync(fd: number): void
  readFileSync(path: string): Uint8Array
  renameSync(from: string, to: string): void
  unlinkSync(path: string): void
}

export interface SaveOptions {
  /** Newest checkpoints that stay, beside the best. */
  keep?: number
  /** This one is the best so far. */
  best?: boolean
  fs?: FileSystem
}

/** A checkpoint that verified; its tensors are views of the file's bytes. */
export interface Checkpoint extends Container {
  path: string
  step: number
  /** Newer files that were passed over. */
  skipped: { path: string; why: string }[]
}

interface Found {
  name: string
  step: number
  best: boolean
}

const NAME = /^step-(\d{8,})(\.best)?\.safetensors$/
/** What an interrupted save leaves. */
const TEMPORARY = /^step-\d{8,}(\.best)?\.safetensors\.tmp$/
/** writeSync takes less than 2^31 bytes at once. */
const CHUNK = 2 ** 26

/**
 * Writes a checkpoint and removes what is older than the last `keep` and the best; returns its path.
 * Throws an Error that names the path and the call that failed; what was there before is then still there.
 */
export function saveCheckpoint(
  dir: string,
  step: number,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Record<string, string>,
  { keep = 3, best = false, fs = nodeFs }: SaveOptions = {},
): string {
  requireThat(Number.isSafeInteger(step) && step >= 0, 'checkpoint', 'step must be a whole number from 0', step)
  requireThat(Number.isInteger(keep) && keep >= 1, 'checkpoint', 'keep must be a whole number from 1', keep)
  const name = `step-${String(step).padStart(8, '0')}${best ? '.best' : ''}.safetensors`
  const path = join(dir, name)
  const temporary = `${path}.tmp`
  const bytes = sealSafetensors(tensors, metadata, sha256)
  attempt(dir, 'be created', () => fs.mkdirSync(dir, { recursive: true }))
  clean(dir, fs)
  try {
    writeDurably(temporary, bytes, fs)
    const same = attempt(temporary, 'be read back', () => Buffer.from(fs.readFileSync(temporary)).equals(bytes))
    if (!same) throw new Error(`checkpoint ${temporary}: must hold what was written, got other bytes`)
    attempt(path, 'be renamed from its temporary', () => fs.renameSync(temporary, path))
  } catch (error) {
    removeQuietly(temporary, fs)
    throw error
  }
  syncFolder(dir, fs)
  prune(dir, name, keep, fs)
  return path
}

/**
 * The newest checkpoint of a folder that verifies, with those that were skipped on the way; undefined where the folder
 * has none. Throws an Error that names every file where there are some and none verifies.
 */
export function loadNewest(dir: string, fs: FileSystem = nodeFs): Checkpoint | undefined {
  return loadFirst(dir, list(dir, fs), fs)
}

/** The best checkpoint, otherwise as loadNewest: the newest of those saved as the best so far. */
export function loadBest(dir: string, fs: FileSystem = nodeFs): Checkpoint | undefined {
  return loadFirst(
    dir,
    list(dir, fs).filter(({ best }) => best),
    fs,
  )
}

/** Reads one checkpoint. Throws an Error that names the path where it cannot be read or does not verify. */
export function readCheckpoint(path: string, fs: FileSystem = nodeFs): Container {
  return attempt(path, 'be a readable checkpoint', () => {
    const bytes = fs.readFileSync(path)
    const container = readSafetensors(bytes, { strict: true })
    const digest = sha256(dataSection(bytes))
    const want = container.metadata.sha256
    requireThat(digest === want, 'checkpoint', `sha256 of the data must be ${want}`, digest)
    return container
  })
}

function loadFirst(dir: string, found: readonly Found[], fs: FileSystem): Checkpoint | undefined {
  const skipped: Checkpoint['skipped'] = []
  for (const { name, step } of found) {
    const path = join(dir, name)
    try {
      return { path, step, skipped, ...readCheckpoint(path, fs) }
    } catch (error) {
      skipped.push({ path, why: errorText(error) })
    }
  }
  if (skipped.length === 0) return undefined
  throw new Error(`checkpoint ${dir}: one file must verify; ${skipped.map(({ why }) => why).join('; ')}`)
}

/** Checkpoints of a folder, newest first; none where there is no folder. */
function list(dir: string, fs: FileSystem): Found[] {
  const found = namesIn(dir, fs).flatMap((name): Found[] => {
    const match = NAME.exec(name)
    return match ? [{ name, step: Number(match[1]), best: match[2] !== undefined }] : []
  })
  return found.sort((a, b) => b.step - a.step || Number(b.best) - Number(a.best))
}

function namesIn(dir: string, fs: FileSystem): string[] {
  try {
    return fs.readdirSync(dir)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw failure(dir, 'be listed', error)
  }
}

function clean(dir: string, fs: FileSystem): void {
  for (const name of namesIn(dir, fs).filter((name) => TEMPORARY.test(name))) {
    const path = join(dir, name)
    attempt(path, 'be removed', () => fs.unlinkSync(path))
  }
}

/** Removes all but the checkpoint just written, the newest `keep` and the newest best. */
function prune(dir: string, written: string, keep: number, fs: FileSystem): void {
  const found = list(dir, fs)
  const newestBest = found.find(({ best }) => best)?.name
  for (const { name } of found.slice(keep)) {
    if (name === written || name === newestBest) continue
    const path = join(dir, name)
    attempt(path, 'be removed', () => fs.unlinkSync(path))
  }
}

function writeDurably(path: string, bytes: Uint8Array, fs: FileSystem): void {
  const fd = attempt(path, 'be opened for writing', () => fs.openSync(path, 'w'))
  try {
    attempt(path, 'be written to its end', () => {
      for (let at = 0; at < bytes.length;) {
        const written = fs.writeSync(fd, bytes, at, Math.min(CHUNK, bytes.length - at))
        if (written <= 0) throw new Error(`${written} bytes written at ${at} of ${bytes.length}`)
        at += written
      }
    })
    attempt(path, 'reach the disk', () => fs.fsyncSync(fd))
  } finally {
    attempt(path, 'be closed', () => fs.closeSync(fd))
  }
}

/** Makes the rename durable. Windows has no such call. */
function syncFolder(dir: string, fs: FileSystem): void {
  if (process.platform === 'win32') return
  const fd = attempt(dir, 'be opened', () => fs.openSync(dir, 'r'))
  try {
    attempt(dir, 'reach the disk', () => fs.fsyncSync(fd))
  } finally {
    attempt(dir, 'be closed', () => fs.closeSync(fd))
  }
}

/** After a failed save: the next save cleans what stays. */
function removeQuietly(path: string, fs: FileSystem): void {
  try {
    fs.unlinkSync(path)
  } catch {
    return
  }
}

function attempt<T>(path: string, must: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw failure(path, must, error)
  }
}

function failure(path: string, must: string, cause: unknown): Error {
  return new Error(`checkpoint ${path}: must ${must}, got ${errorText(cause)}`, { cause })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
