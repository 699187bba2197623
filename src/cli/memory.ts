/**
 * What the commands that teach share: the file of what was taught, which belongs to one model, and the times that a step
 * takes. A process is slow at its first call, which compiles; both times are told.
 */
import { existsSync, readFileSync } from 'node:fs'
import { message } from '../base/errors.ts'
import { count } from '../base/readable.ts'
import type { BitGen } from '../index.ts'
import { withLock } from '../io/lock.ts'
import { replaceFile } from '../io/replace-file.ts'
import { openModel } from './model.ts'
import { errorAt, option, type Options } from './usage.ts'

const DEFAULT_MEMORY = 'bitgen.memory'
/** For others that change the file, each for a second or two. */
const WAIT_MS = 30_000

/** For `command.option`: the file of what was taught. */
export const MEMORY_OPTION = [
  '--memory <file>',
  `File of what was taught; default: ${DEFAULT_MEMORY} in the current folder`,
] as const

export interface OpenMemory {
  model: BitGen
  memory: BitGen['memory']
  path: string
}

/**
 * The model of `--model` with what `--memory` says it was taught; nothing where there is no such file and `create` is
 * set. Throws an Error that names the file.
 */
export async function openMemory(options: Options, { create = false } = {}): Promise<OpenMemory> {
  const path = pathOf(options)
  const model = await openModel(options)
  if (!create || existsSync(path)) loadMemory(model, path)
  return { model, memory: model.memory, path }
}

/**
 * openMemory, then `change`, then saves what the memory became; where `change` throws, nothing. Another process that
 * changes the same file has to wait, so that what it learns comes on top.
 */
export async function changeMemory<T>(
  options: Options,
  change: (opened: OpenMemory) => T | Promise<T>,
  { create = false } = {},
): Promise<OpenMemory & { value: T }> {
  return withLock(pathOf(options), WAIT_MS, async () => {
    const opened = await openMemory(options, { create })
    const value = await change(opened)
    replaceFile(opened.path, opened.memory.save())
    return { ...opened, value }
  })
}

/** Takes what was taught from a file. Throws an Error that names it. */
export function loadMemory(model: BitGen, path: string): void {
  // A model without a memory is no fault of the file.
  const { memory } = model
  if (!existsSync(path)) throw new Error(message(path, 'must exist; bitgen teach makes it'))
  try {
    memory.load(readFileSync(path))
  } catch (error) {
    throw errorAt(path, 'must be a memory file of this model', error)
  }
}

function pathOf(options: Options): string {
  return option(options, 'memory') ?? DEFAULT_MEMORY
}

/** How much there is, and where. */
export function stock({ memory, path }: OpenMemory): string {
  const { length } = memory.list()
  return `${count(length)} ${length === 1 ? 'thing' : 'things'} in ${path}`
}

/** What a call gives, and its milliseconds. */
export async function timed<T>(call: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const start = performance.now()
  const value = await call()
  return { value, ms: performance.now() - start }
}

/** Milliseconds of a call and of the first one of the process, in words. */
export function timesText(ms: number, firstMs: number): string {
  return `in ${ms.toFixed(1)} ms (the first time in this process ${firstMs.toFixed(1)} ms)`
}
