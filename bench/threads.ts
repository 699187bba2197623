/**
 * `npm run bench -- threads [--quick] [--threads N]`: one thread against several, in one run: encoding an image with
 * both presets, and a training step. Inputs and weights are arbitrary. Samples take turns, with pauses between them.
 * Beside median and best run stands the sum of the best times of all calls: what the plan takes where nothing
 * interrupts it, which on a machine that shares its cores with others is all that tells what threads are worth.
 */
import { setTimeout } from 'node:timers/promises'
import type { Isa } from '../src/abi.ts'
import type { Symbols } from '../src/base/shape.ts'
import { TRAINING_KERNELS } from '../src/training-kernels.ts'
import { encodeImageGraph } from '../src/model/bitgen.ts'
import { modelConfig, patches, type PresetName } from '../src/model/config.ts'
import { initialValue, parameters } from '../src/model/init.ts'
import { adamControl } from '../src/ops/adamw.ts'
import { lower } from '../src/plan/lower.ts'
import { Executor } from '../src/runtime/execute.ts'
import { loadKernels } from '../src/runtime/load.ts'
import { trainGraphs } from '../src/train/step.ts'
import { parseFlags } from './flags.ts'
import { describe, machine } from './machine.ts'

/** A plan that can be run again and again. */
interface Subject {
  run(): void
  /** When the last run began, and when each of its calls ended. */
  stamps: number[]
  isa: Isa
}

type Maker = (threads: number) => Promise<Subject>

const wave = (i: number) => (((i * 31) % 97) - 48) / 50

function encodeImage(preset: PresetName): Maker {
  return async (threads) => {
    const stamps: number[] = []
    const kernels = await loadKernels({ sources: TRAINING_KERNELS, threads })
    const plan = lower(encodeImageGraph(modelConfig(preset)), { symbols: { B: 1 }, deterministic: true, part: 'run' })
    const executor = new Executor(kernels, [plan])
    for (const { name, dtype } of executor.names('weight')) {
      // Bytes of packed codes are any of 0b00, 0b01, 0b10 four times over: 0x96, 0x19, 0x42.
      executor.tensor(name!).forEach((_, i, all) => (all[i] = dtype === 't2' ? [0x96, 0x19, 0x42][i % 3] : wave(i) / 4))
    }
    const run = () => {
      executor.io(plan.name, 'pixels').forEach((_, i, all) => (all[i] = wave(i)))
      timed(executor, plan.name, { B: 1 }, stamps)
    }
    return { run, stamps, isa: kernels.manifest.isa }
  }
}

/** A step of all losses on `B` pairs with texts of 10 tokens of 2,000. */
function trainStep(B: number): Maker {
  return async (threads) => {
    const stamps: number[] = []
    const kernels = await loadKernels({ sources: TRAINING_KERNELS, threads })
    const [T, vocabulary] = [10, 2000]
    const model = { ...modelConfig('nano'), vocabulary }
    const losses = { itc: 1, itm: 0.5, text: 0.5, memory: 0.1, imageContrast: 0.5 }
    const options = { concepts: true, queue: 0, negatives: 'batch', episode: 16, labelSmoothing: 0.1 } as const
    const rest = { freeze: [], cachedTower: false, joinAt: 0, clip: 1, accumulate: 1 }
    const [graph] = trainGraphs(model, { losses, ...options, ...rest }, { prefix: '', losses })
    const symbols = { B, T, R: B * (T - 1) }
    const plan = lower(graph, { symbols, deterministic: false })
    const executor = new Executor(kernels, [plan])
    for (const { name } of executor.names('state')) executor.tensor(name!).fill(0)
    for (const p of parameters(graph)) executor.tensor(p.name!).set(initialValue(p, 1))
    const inputs: Record<string, (i: number) => number> = {
      ids: (i) => (i * 37) % vocabulary,
      lengths: () => T,
      concepts: (i) => i >> 1,
      target_ids: (i) => (i * 31) % vocabulary,
      target_rows: (r) => Math.floor(r / (T - 1)) * T + (r % (T - 1)),
      targets: (i) => (i * 17) % vocabulary,
      reads: (i) => i % 2,
      visible: (i) => 1 + patches(model) + (i % 2),
      draw_text: (i) => (i % 10) / 10,
      draw_image: (i) => (i % 7) / 7,
      hardness: () => 1,
      pixels: wave,
    }
    const run = () => {
      for (const [name, value] of Object.entries(inputs)) {
        executor.io(plan.name, name).forEach((_, i, all) => (all[i] = value(i)))
      }
      executor.io(plan.name, 'control').set(adamControl({ step: 1, rate: 1e-3, decay: 0.02 }))
      timed(executor, plan.name, symbols, stamps)
    }
    return { run, stamps, isa: kernels.manifest.isa }
  }
}

function timed(executor: Executor, plan: string, symbols: Symbols, stamps: number[]): void {
  executor.profile = () => stamps.push(performance.now())
  stamps.length = 0
  stamps.push(performance.now())
  executor.run(plan, symbols)
}

/** Milliseconds of a plan: the median and the best of its runs, and the sum of the best times of its calls. */
interface Times {
  median: number
  best: number
  undisturbed: number
}

async function measure(make: Maker, counts: readonly number[], samples: number): Promise<{ isa: Isa; times: Times[] }> {
  const subjects = await Promise.all(counts.map(make))
  const runs = subjects.map((): number[] => [])
  const best = subjects.map((): number[] => [])
  for (let sample = -3; sample < samples; sample++) {
    for (const [i, { run, stamps }] of subjects.entries()) {
      await setTimeout(20)
      run()
      // The first runs are the engine's.
      if (sample < 0) continue
      runs[i].push(stamps.at(-1)! - stamps[0])
      for (let call = 0; call + 1 < stamps.length; call++) {
        best[i][call] = Math.min(best[i][call] ?? Infinity, stamps[call + 1] - stamps[call])
      }
    }
  }
  const times = runs.map((list, i) => {
    list.sort((a, b) => a - b)
    const undisturbed = best[i].reduce((sum, ms) => sum + ms)
    return { median: list[list.length >> 1], best: list[0], undisturbed }
  })
  return { isa: subjects[0].isa, times }
}

export async function benchThreads(args: string[]): Promise<void> {
  const { quick, threads = 2 } = parseFlags('threads', args, ['quick', 'threads'])
  const counts = [1, threads]
  console.log(describe(machine()))
  const subjects: [name: string, make: Maker, samples: number][] = [
    ['nano, encode an image', encodeImage('nano'), quick ? 5 : 200],
    ['tiny, encode an image', encodeImage('tiny'), quick ? 3 : 100],
    ['nano, training step of 16 pairs', trainStep(16), quick ? 2 : 30],
    ...(quick ? [] : [['nano, training step of 64 pairs', trainStep(64), 10] as [string, Maker, number]]),
  ]
  for (const [name, make, samples] of subjects) {
    const { isa, times } = await measure(make, counts, samples)
    const row = (what: keyof Times) => {
      const [one, several] = times.map((time) => time[what])
      return `${one.toFixed(2)} and ${several.toFixed(2)} ms, ratio ${(one / several).toFixed(2)}`
    }
    console.log(`${name}, ${isa}, ${counts.join(' and ')} threads`)
    for (const what of ['median', 'best', 'undisturbed'] as const) console.log(`  ${what.padEnd(12)} ${row(what)}`)
  }
}
