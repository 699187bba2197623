/**
 * Checkpoints of training on disk (Node): one sealed safetensors file a step, `step-00000120.safetensors`, or
 * `step-00000120.best.safetensors` where it is the best so far. A file gets its name only when its bytes are on the disk
 * and read back equal (replace-file.ts), and an older one goes only when the newer stands, so a kill at any moment, a
 * full disk or a failing call leaves the last good checkpoint. One process writes a folder.
 */
import * as nodeFs from 'node:fs'
import { join } from 'node:path'
import { attempt, errorText, requireThat } from '../base/errors.ts'
import { replaceFile, type ReplacingFileSystem } from './replace-file.ts'
import { readSafetensors, sealSafetensors, type Container, type Tensor } from './safetensors.ts'

/** What is used of node:fs; tests put failing calls in its place. */
export interface FileSystem extends ReplacingFileSystem {
  mkdirSync(path: string, options: { recursive: true }): unknown
  readdirSync(path: string): string[]
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
const TEMPORARY = /^step-\d{8,}(\.best)?\.safetensors\.\d+\.tmp$/

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
  const bytes = sealSafetensors(tensors, metadata)
  attempt(dir, 'must be created', () => fs.mkdirSync(dir, { recursive: true }))
  clean(dir, fs)
  replaceFile(path, bytes, fs)
  prune(dir, name, keep, fs)
  return path
}

/**
 * The newest checkpoint of a folder that verifies, with those that were skipped on the way; undefined where the folder
 * has none. Throws an Error that names every file where there are some and none verifies.
 */
export function loadNewest(dir: string, fs: FileSystem = nodeFs): Checkpoint | undefined {
  const skipped: Checkpoint['skipped'] = []
  for (const { name, step } of list(dir, fs)) {
    const path = join(dir, name)
    try {
      return { path, step, skipped, ...readCheckpoint(path, fs) }
    } catch (error) {
      skipped.push({ path, why: errorText(error) })
    }
  }
  if (skipped.length === 0) return undefined
  throw new Error(`${dir}: one checkpoint must verify; ${skipped.map(({ why }) => why).join('; ')}`)
}

/** Reads one checkpoint. Throws an Error that names the path where it cannot be read or does not verify. */
export function readCheckpoint(path: string, fs: FileSystem = nodeFs): Container {
  return attempt(path, 'must be a readable checkpoint', () => {
    return readSafetensors(fs.readFileSync(path), { strict: true })
  })
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
  return attempt(dir, 'must be listed', () => {
    try {
      return fs.readdirSync(dir)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  })
}

function clean(dir: string, fs: FileSystem): void {
  for (const name of namesIn(dir, fs).filter((name) => TEMPORARY.test(name))) {
    const path = join(dir, name)
    attempt(path, 'must be removed', () => fs.unlinkSync(path))
  }
}

/** Removes all but the checkpoint just written, the newest `keep` and the newest best. */
function prune(dir: string, written: string, keep: number, fs: FileSystem): void {
  const found = list(dir, fs)
  const newestBest = found.find(({ best }) => best)?.name
  for (const { name } of found.slice(keep)) {
    if (name === written || name === newestBest) continue
    const path = join(dir, name)
    attempt(path, 'must be removed', () => fs.unlinkSync(path))
  }
}
