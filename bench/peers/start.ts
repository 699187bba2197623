/**
 * Cold starts side by side: a fresh process to its first vector of a picture, by a model of the preset `tiny`. Ours has
 * the whole model to load and a text to encode as well, peers only the tower of the pictures.
 */
import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { NODE } from '../../codegen/bundles.ts'
import type { Isa } from '../../src/abi.ts'
import { encodeImageGraph } from '../../src/model/bitgen.ts'
import { modelConfig } from '../../src/model/config.ts'
import { coldStart, prepareLoad, startEntry, totalMs, type ColdStart } from '../load.ts'
import { randomModel } from '../random-model.ts'
import { summary } from '../timing.ts'
import { OUTPUT, randomValues, SYMBOLS } from './encode.ts'
import { folderOf } from './installed.ts'
import type { OnnxRuntime } from './onnxruntime.ts'
import { translate } from './translate.ts'

/** Processes of each contender, after one that fills the cache of files. */
const FULL = 12
const QUICK = 2

export interface StartRow {
  bench: 'start'
  name: string
  fileBytes: number
  /** Milliseconds from the first line of a script, by stage and in all: medians. */
  stages: Record<string, number>
  ms: number
}

interface Contender {
  name: string
  fileBytes: number
  start: () => Promise<ColdStart>
}

/** Where scripts find the packages of the peers. */
const FOLDER = folderOf('.start')

async function own(isa: Isa): Promise<Contender> {
  const path = join(FOLDER, 'tiny.safetensors')
  const bytes = await randomModel('tiny')
  writeFileSync(path, bytes)
  const task = { ...(await prepareLoad(isa, path)), threads: 1 }
  return { name: `bitgen ${isa}`, fileBytes: bytes.length, start: () => startEntry('core', task) }
}

function peers(onnx: readonly OnnxRuntime[]): Contender[] {
  const config = modelConfig('tiny')
  const graph = encodeImageGraph(config)
  const values = randomValues(graph)
  return (['f32', 'int8'] as const).flatMap((linear) => {
    const path = join(FOLDER, `${linear}.onnx`)
    writeFileSync(path, translate(graph, { symbols: SYMBOLS, values, linear, output: OUTPUT }).bytes())
    return onnx.map(({ name, kind }) => ({
      name: `${name} ${linear}`,
      fileBytes: statSync(path).size,
      start: () => coldStart(join(FOLDER, 'start-child.js'), kind, path, String(config.image)),
    }))
  })
}

/** Cold starts by turns; the best of `isas` is ours. */
export async function compareStarts(
  [isa]: readonly Isa[],
  onnx: readonly OnnxRuntime[],
  quick: boolean,
): Promise<StartRow[]> {
  try {
    const entryPoints = { 'start-child': join(import.meta.dirname, 'start-child.ts') }
    await build({ ...NODE, outdir: FOLDER, packages: 'external', entryPoints })
    const contenders = [await own(isa), ...peers(onnx)]
    const starts = contenders.map((): ColdStart[] => [])
    for (let round = 0; round <= (quick ? QUICK : FULL); round++) {
      for (const [i, { start }] of contenders.entries()) {
        const seen = await start()
        if (round > 0) starts[i].push(seen)
      }
    }
    return contenders.map(({ name, fileBytes }, i) => {
      const median = (value: (start: ColdStart) => number) => summary(starts[i].map(value)).median
      const stages = Object.keys(starts[i][0].stages).map((stage) => [stage, median((one) => one.stages[stage])])
      return { bench: 'start', name, fileBytes, stages: Object.fromEntries(stages), ms: median(totalMs) }
    })
  } finally {
    rmSync(FOLDER, { recursive: true, force: true })
  }
}

export function startsText(rows: readonly StartRow[]): string {
  const lines = rows.map(({ name, fileBytes, stages, ms }) => {
    const parts = Object.entries(stages).map(([stage, one]) => `${stage} ${one.toFixed(0)}`)
    const file = `${(fileBytes / 1e6).toFixed(1)} MB`.padStart(9)
    return `  ${name.padEnd(28)}${file}${ms.toFixed(0).padStart(6)} ms ${(ms / rows[0].ms).toFixed(2).padStart(6)} x  ${parts.join(', ')}`
  })
  return ['Cold start, preset tiny, a fresh process to its first picture: model file, time, over ours', ...lines].join(
    '\n',
  )
}
