/**
 * What benches leave behind: bench/results/MACHINE-TARGET.json, one section for each bench, each with the machine that
 * it ran on. A page of the browser gives the same shape.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ISAS, type Isa } from '../src/abi.ts'
import { errorText, message } from '../src/base/errors.ts'
import type { KernelRow } from './kernels.ts'
import type { LoadFigures } from './load.ts'
import type { Machine } from './machine.ts'
import type { ModelFigures } from './model.ts'
import type { SizeRow } from './size.ts'
import type { TrainFigures } from './train.ts'

export interface Results {
  target: Isa
  kernels?: { machine: Machine; peaks: Record<string, number>; rows: KernelRow[] }
  model?: { machine: Machine } & ModelFigures
  train?: { machine: Machine } & TrainFigures
  load?: { machine: Machine } & LoadFigures
  size?: { machine: Machine; rows: SizeRow[] }
}

export type BenchName = Exclude<keyof Results, 'target'>

export const RESULTS = join(import.meta.dirname, 'results')

/** The file of a machine and target: processor, engine with its major version, target. */
export function resultsPath({ cpu, engine }: Machine, target: Isa): string {
  const words = `${cpu} ${engine.replace(/\..*/, '').replace(' ', '')} ${target}`.toLowerCase().match(/[a-z0-9]+/g)!
  return join(RESULTS, `${words.join('-')}.json`)
}

/** Throws an Error where a file is none of results. */
export function readResults(path: string): Results {
  try {
    const results = JSON.parse(readFileSync(path, 'utf8')) as Results
    if (!ISAS.includes(results.target)) throw new Error('it names no target')
    return results
  } catch (error) {
    throw new Error(message(path, 'must be a file of results', errorText(error)), { cause: error })
  }
}

/** Puts a section into the file of its machine and target, beside those of other benches. Returns the path. */
export function saveSection<Name extends BenchName>(
  target: Isa,
  name: Name,
  section: { machine: Machine } & Results[Name],
): string {
  const path = resultsPath(section.machine, target)
  let before: Results = { target }
  try {
    before = readResults(path)
  } catch {
    // The first section of this machine.
  }
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify({ ...before, [name]: section }, null, 1)}\n`)
  return path
}
