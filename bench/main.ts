/**
 * `npm run bench -- NAME`: dispatches to the benches. Every figure is measured by the command that prints it, one bench
 * and one thread at a time. With --json, run as `npm run --silent bench -- ...`, stdout has nothing but JSON.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BUILD } from '../codegen/bundles.ts'
import { errorText, message, requireThat } from '../src/base/errors.ts'
import { decodeImage } from '../src/image/decode.ts'
import { DEFAULT_MODEL, readTrainConfig } from '../src/index.ts'
import { KERNELS } from '../src/kernels.ts'
import { TRAINING_KERNELS } from '../src/training-kernels.ts'
import { loadKernels } from '../src/runtime/load.ts'
import { Session } from '../src/runtime/session.ts'
import { command } from './bench.ts'
import { compareShares, comparisonText, FACTOR, readShares, requireNoneWorse, rowShares } from './compare.ts'
import { benchEvaluate } from './evaluate.ts'
import { parseFlags } from './flags.ts'
import { kernelLine, measureKernels, productsOf } from './kernels.ts'
import { loadText, measureLoad } from './load.ts'
import { callLine, measureModel, modelText } from './model.ts'
import type { Peaks } from './peaks.ts'
import { benchPeers } from './peers/main.ts'
import { randomModel } from './random-model.ts'
import { writeReport } from './report.ts'
import { measureSizes, requireBounds, sizeText } from './size.ts'
import { benchStandalone } from './standalone.ts'
import { benchThreads } from './threads.ts'
import { FULL, QUICK } from './timing.ts'
import { benchConfig, measureTraining, stageText, trainText } from './train.ts'
import { benchTune } from './tune.ts'
import type { Isa } from '../src/abi.ts'

const PICTURE = join(import.meta.dirname, '../models/demo/images/owl.png')
const REPORT = join(BUILD, 'bench-report.html')
/** The compiler, which is slow to load, is not loaded by benches that need no peaks. */
async function peaksFor(target: Isa, quick: boolean): Promise<Peaks> {
  const { measurePeaks } = await import('./peak-modules.ts')
  return measurePeaks(target, quick ? QUICK : FULL)
}

const kernels = command('kernels', {
  flags: [],
  targets: 'working',
  async measure(target, { quick }, note) {
    const peaks = await peaksFor(target, quick)
    note('  best / median / p95')
    const modules = await loadKernels({ sources: TRAINING_KERNELS, target })
    const rows = measureKernels(modules, peaks, quick ? QUICK : FULL, (row) => note(kernelLine(row)))
    const best = Object.fromEntries(peaks.best)
    note(
      `  peaks: ${Object.entries(best)
        .map(([name, rate]) => `${name} ${rate.toFixed(1)}`)
        .join(', ')}`,
    )
    return { peaks: best, rows }
  },
  json: (sections) => sections.flatMap(({ rows }) => productsOf(rows)),
})

const model = command('model', {
  flags: ['model', 'preset'],
  targets: 'best',
  async measure(target, { quick, model = DEFAULT_MODEL, preset }, note) {
    const bytes = preset ? await randomModel(preset) : new Uint8Array(readFileSync(model))
    const session = await Session.open(bytes, { sources: KERNELS, target })
    note('  min / median / p95')
    const figures = await measureModel(session, {
      peaks: await peaksFor(target, quick),
      effort: quick ? QUICK : FULL,
      decode: () => decodeImage(PICTURE),
      onRow: (row) => note(callLine(row)),
    })
    note(modelText(figures))
    return figures
  },
})

const train = command('train', {
  flags: ['preset', 'config', 'batch'],
  targets: 'best',
  async measure(target, { quick, preset = 'nano', config, batch }, note) {
    const run = config ? { ...readTrainConfig(config), ...(batch && { batch }) } : benchConfig(preset, batch)
    const figures = await measureTraining(await loadKernels({ sources: TRAINING_KERNELS, target }), run, {
      peaks: await peaksFor(target, quick),
      quick,
      onStage: (stage) => note(stageText(stage)),
    })
    note(trainText(figures))
    return figures
  },
})

const load = command('load', {
  flags: ['model'],
  targets: 'best',
  async measure(target, flags, note) {
    const figures = await measureLoad(target, flags)
    note(loadText(figures))
    return figures
  },
})

const size = command('size', {
  flags: [],
  targets: 'built',
  async measure(target, _flags, note) {
    const rows = await measureSizes(target)
    note(sizeText(rows))
    return { rows }
  },
  check: ({ rows }) => requireBounds(rows),
})

/** `compare BASELINE [NOW]`: without NOW the kernels are measured. */
async function compare(args: string[]): Promise<void> {
  const { words, quick } = parseFlags('compare', args, ['quick'], 2)
  requireThat(words.length > 0, 'bench compare', 'must be given a file of results to compare with')
  const { target, shares } = readShares(words[0])
  const measured = async () => {
    const modules = await loadKernels({ sources: TRAINING_KERNELS, target })
    const rows = measureKernels(modules, await peaksFor(target, quick), quick ? QUICK : FULL, (row) =>
      console.log(kernelLine(row)),
    )
    return { target, shares: rowShares(rows) }
  }
  const now = words.length > 1 ? readShares(words[1]) : await measured()
  requireThat(now.target === target, 'bench compare', `both runs must be of one target, ${target}`, now.target)
  const rows = compareShares(shares, now.shares)
  console.log(
    `share of the peak of its own run, before and now; must reach ${FACTOR} of what it was\n${comparisonText(rows)}`,
  )
  requireNoneWorse(rows)
}

async function report(args: string[]): Promise<void> {
  const { out = REPORT } = parseFlags('report', args, ['out'])
  writeReport(out)
  console.log(`written to ${out}`)
}

async function page(args: string[]): Promise<void> {
  const { out } = parseFlags('page', args, ['out'])
  requireThat(out !== undefined, 'bench page', '--out must name a folder')
  const { buildPage } = await import('./page/build.ts')
  await buildPage(out)
  console.log(`written to ${out}: serve it as it is`)
}

const BENCHES: Record<string, (args: string[]) => Promise<void>> = {
  compare,
  evaluate: benchEvaluate,
  kernels,
  load,
  model,
  page,
  peers: benchPeers,
  report,
  size,
  standalone: benchStandalone,
  threads: benchThreads,
  train,
  tune: benchTune,
}

const [name, ...args] = process.argv.slice(2)
try {
  const bench = BENCHES[name]
  if (!bench)
    throw new Error(message('bench', `the first argument must be one of ${Object.keys(BENCHES).join(', ')}`, name))
  await bench(args)
} catch (error) {
  console.error(errorText(error))
  process.exitCode = 1
}
