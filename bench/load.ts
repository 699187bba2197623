/**
 * Cold start: a fresh process to its first similarity, with the scripts of the package, by stages. Files are in the
 * cache of the operating system, since each process reads what the one before has read. The entries take turns, so that
 * a busy moment meets all of them.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { BUILD, CORE, NODE, ROOT } from '../codegen/bundles.ts'
import type { Isa } from '../src/abi.ts'
import { decodeImage } from '../src/image/decode.ts'
import { DEFAULT_MODEL } from '../src/index.ts'
import { encodeText } from '../src/text/tokenizer.ts'
import { summary, type Summary } from './timing.ts'

/** Scripts are built here, kernels and all, since those of the package must not be touched by a bench. */
const FOLDER = join(BUILD, 'bench')
const PICTURE = join(ROOT, 'models/demo/images/owl.png')
const TEXT = 'an owl'
/** ms, of `bitgen/core` on one desktop core. */
const AIM = 50

/** The entries of the package, the packages that the larger one loads, and the steps within the smaller one. */
export const ENTRIES = {
  core: 'bitgen/core, pixels and ids',
  bitgen: 'bitgen, path and text',
  packages: 'packages of bitgen, alone',
  steps: 'steps of bitgen/core',
}
export type Entry = keyof typeof ENTRIES

/** What a process is to do; decoded pixels [height, width, 3] lie in a file. */
export interface LoadTask {
  model: string
  picture: string
  pixels: { path: string; width: number; height: number }
  text: string
  ids: number[]
  target: Isa
  /** Default: as many as are worth it. */
  threads?: number
}

/** What a process tells of itself. */
export interface ColdStart {
  /** Milliseconds before the first line of the script. */
  nodeMs: number
  /** Milliseconds by stage, in order. */
  stages: Record<string, number>
  /** Memory of the process behind it, Node's own included. */
  bytes: number
}

export interface EntryFigures {
  /** Milliseconds before the first line of the script, by stage behind it, and of all stages together. */
  nodeMs: Summary
  stages: Record<string, Summary>
  totalMs: Summary
  bytes: Summary
}

export interface LoadFigures {
  processes: number
  entries: Record<Entry, EntryFigures>
}

/** Builds the scripts of the package and of the process that is measured; what that is to do. */
export async function prepareLoad(target: Isa, model = DEFAULT_MODEL): Promise<LoadTask> {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  const own = { outdir: FOLDER, external: ['sharp', 'gpt-tokenizer'] }
  await build({ ...CORE, ...own, splitting: true, sourcemap: false })
  await build({ ...NODE, ...own, entryPoints: { index: 'src/index.ts' } })
  await build({ ...NODE, ...own, entryPoints: { 'load-child': 'bench/load-child.ts' } })
  const { data, width, height } = await decodeImage(PICTURE)
  const path = join(FOLDER, 'picture.rgb')
  writeFileSync(path, data)
  const ids = encodeText(TEXT, { prefix: ' ', maxLength: 16 })
  return { model, picture: PICTURE, pixels: { path, width, height }, text: TEXT, ids, target }
}

/** A cold start of an entry in a process of its own. */
export function startEntry(entry: Entry, task: LoadTask): Promise<ColdStart> {
  return coldStart(join(FOLDER, 'load-child.js'), entry, JSON.stringify(task))
}

/** What a script tells of its own start. */
export async function coldStart(script: string, ...args: string[]): Promise<ColdStart> {
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args])
  return JSON.parse(stdout)
}

/** Milliseconds of all stages. */
export function totalMs({ stages }: ColdStart): number {
  return Object.values(stages).reduce((sum, ms) => sum + ms, 0)
}

function figuresOf(starts: readonly ColdStart[]): EntryFigures {
  const over = (value: (start: ColdStart) => number) => summary(starts.map(value))
  const names = Object.keys(starts[0].stages)
  return {
    nodeMs: over(({ nodeMs }) => nodeMs),
    stages: Object.fromEntries(names.map((name) => [name, over(({ stages }) => stages[name])])),
    totalMs: over(totalMs),
    bytes: over(({ bytes }) => bytes),
  }
}

export async function measureLoad(target: Isa, options: { model?: string; quick: boolean }): Promise<LoadFigures> {
  const task = await prepareLoad(target, options.model)
  const processes = options.quick ? 2 : 12
  const starts: Record<Entry, ColdStart[]> = { core: [], bitgen: [], packages: [], steps: [] }
  for (let i = 0; i <= processes; i++) {
    for (const entry of Object.keys(ENTRIES) as Entry[]) {
      const start = await startEntry(entry, task)
      // The first of each fills the cache.
      if (i > 0) starts[entry].push(start)
    }
  }
  const entries = Object.entries(starts).map(([entry, of]) => [entry, figuresOf(of)])
  return { processes, entries: Object.fromEntries(entries) as LoadFigures['entries'] }
}

export function loadText({ processes, entries }: LoadFigures): string {
  const line = (name: string, { min, median, p95 }: Summary) => {
    const [low, mid, high] = [min, median, p95].map((value) => value.toFixed(1).padStart(7))
    return `  ${name.padEnd(32)} ${low} / ${mid} / ${high}`
  }
  const tables = (Object.keys(ENTRIES) as Entry[]).flatMap((entry) => {
    const { nodeMs, stages, totalMs, bytes } = entries[entry]
    const megabytes = (bytes.median / 1e6).toFixed(0)
    return [
      `${ENTRIES[entry]}: ms, min / median / p95 of ${processes} processes, files in the cache; ${megabytes} MB of memory`,
      ...Object.entries(stages).map(([stage, ms]) => line(stage, ms)),
      line('total', totalMs),
      line('(Node itself, before)', nodeMs),
    ]
  })
  const { min, median } = entries.core.totalMs
  return [
    ...tables,
    `bitgen/core takes ${median.toFixed(0)} ms (best ${min.toFixed(0)}) to its first similarity; aim: ${AIM}`,
  ].join('\n')
}
