/**
 * Runs an engine against every golden file of a folder and its subfolders. `forward_X` and `train_X` take their
 * parameters from `weights_X` beside them.
 */
import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { checkCaptions } from './caption.ts'
import type { Engine } from './engine.ts'
import { readGolden, type Golden } from './files.ts'
import { checkBitlinear, checkContrast, checkDinov2, checkPreprocess } from './layers.ts'
import { checkMemory } from './memory.ts'
import { checkForward } from './model.ts'
import type { Report, Row } from './report.ts'
import { checkTrain } from './train.ts'

type Check = (golden: Golden, engine: Engine, weights: () => Golden) => Row[]

/** By the part of a file name before the configuration. */
const CHECKS: Record<string, Check> = {
  bitlinear: checkBitlinear,
  contrast: checkContrast,
  dinov2: checkDinov2,
  memory: checkMemory,
  preprocess: checkPreprocess,
  forward: (golden, engine, weights) => [
    ...checkForward(golden, weights(), engine),
    ...checkCaptions(golden, weights(), engine),
  ],
  train: (golden, engine, weights) => checkTrain(golden, weights(), engine),
}

/** Golden files below a folder, sorted; weights belong to others and are not listed. */
export function goldenFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.safetensors') && !basename(file).startsWith('weights_'))
    .map((file) => join(folder, file))
    .sort()
}

/** Compares one file. A file that nothing here knows is reported as not covered, never as passed. */
export function checkFile(path: string, engine: Engine): Report {
  const golden = readGolden(path)
  const kind = basename(path, '.safetensors').split('_')[0]
  const check = CHECKS[kind]
  if (!check) return { file: golden.file, rows: [], notCovered: [kind] }
  const weights = () => readGolden(join(dirname(path), basename(path).replace(kind, 'weights')))
  const rows = check(golden, engine, weights)
  // Without rows the file is for kernels alone, and this is the oracle.
  const notCovered = rows.length === 0 ? [`${kind} by the oracle: it is kernels only`] : []
  return { file: golden.file, rows, notCovered }
}
