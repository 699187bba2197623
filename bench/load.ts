/**
 * `npm run bench -- load`: a fresh process to its first similarity, with the package's own scripts, by stages. The
 * files are in the cache of the operating system (each process reads what the one before has read). Processes are
 * started in turns, so that a busy moment meets all of them alike.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { BUILD, CORE, NODE, ROOT } from '../codegen/bundles.ts'
import type { Isa } from '../src/abi.ts'
import { decodeImage } from '../src/image/decode.ts'
import { DEFAULT_MODEL } from '../src/index.ts'
import { encodeText } from '../src/text/tokenizer.ts'
import { summary, type Summary } from './timing.ts'

const FOLDER = join(BUILD, 'bench')
const PICTURE = join(ROOT, 'models/demo/images/owl.png')
const TEXT = 'an owl'
const PROCESSES = 12
/** The two entries of the package, and the steps within the smaller one. */
const ENTRIES = ['core', 'bitgen', 'steps'] as const

/** What a process is to do; decoded pixels [height, width, 3] lie in a file. */
export interface LoadTask {
  model: string
  picture: string
  pixels: { path: string; width: number; height: number }
  text: string
  ids: number[]
  target: Isa
}

/** Milliseconds by stage, in order. */
export type Stages = Record<string, number>

async function prepare(target: Isa): Promise<LoadTask> {
  await build({ ...CORE, logLevel: 'error' })
  await build({ ...NODE, logLevel: 'error' })
  await build({
    ...NODE,
    entryPoints: [join(ROOT, 'bench/load-child.ts')],
    outdir: FOLDER,
    external: ['sharp', 'gpt-tokenizer'],
  })
  mkdirSync(FOLDER, { recursive: true })
  const { data, width, height } = await decodeImage(PICTURE)
  const path = join(FOLDER, 'picture.rgb')
  writeFileSync(path, data)
  const ids = encodeText(TEXT, { prefix: ' ', maxLength: 64 })
  return { model: DEFAULT_MODEL, picture: PICTURE, pixels: { path, width, height }, text: TEXT, ids, target }
}

async function coldStart(entry: string, task: LoadTask): Promise<Stages> {
  const child = join(FOLDER, 'load-child.js')
  const { stdout } = await promisify(execFile)(process.execPath, [child, entry, JSON.stringify(task)])
  return JSON.parse(stdout)
}

/** Milliseconds of each stage over all processes, by entry. */
export type LoadFigures = Record<string, Record<string, Summary>>

export async function benchLoad(): Promise<void> {
  const task = await prepare('relaxed')
  const runs: Record<string, Stages[]> = Object.fromEntries(ENTRIES.map((entry) => [entry, []]))
  // The first of each entry fills the cache and does not count.
  for (let i = 0; i <= PROCESSES; i++) {
    for (const entry of ENTRIES) {
      const { node, ...stages } = await coldStart(entry, task)
      const total = Object.values(stages).reduce((sum, ms) => sum + ms, 0)
      if (i > 0) runs[entry].push({ ...stages, total, 'before it, Node': node })
    }
  }
  for (const entry of ENTRIES) {
    console.log(`${entry}, ms: median (min to p95) of ${PROCESSES} processes`)
    for (const stage of Object.keys(runs[entry][0])) {
      const { min, median, p95 } = summary(runs[entry].map((stages) => stages[stage]))
      console.log(`  ${stage.padEnd(32)} ${median.toFixed(1).padStart(7)} (${min.toFixed(1)} to ${p95.toFixed(1)})`)
    }
  }
}
