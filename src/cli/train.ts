/**
 * `bitgen train`: a run with progress on the terminal. The first Ctrl-C (or SIGTERM) finishes the step, saves and exits
 * with 0; the same command goes on from there. A step answers no signal for seconds, so the process must not be the
 * child of one that kills what does not answer at once: the command `tsx` does, `node --import tsx` does not.
 */
import type { CAC } from 'cac'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { message } from '../base/errors.ts'
import { count, duration } from '../base/readable.ts'
import { readTrainConfig, trainRun, type RunOptions, type RunResult, type TrainConfig } from '../index.ts'
import { readCheckpoint } from '../io/checkpoint.ts'
import { readModelFile } from '../io/model-file.ts'
import { readSafetensors } from '../io/safetensors.ts'
import { TRAINING_KERNELS } from '../training-kernels.ts'
import { loadKernels } from '../runtime/load.ts'
import { cores } from '../runtime/thread-count.ts'
import { runPaths, type RunEvents } from '../train/run.ts'
import type { Scores } from '../train/scores.ts'
import type { ValidationReport } from '../train/trainer.ts'
import { Progress } from './progress.ts'
import { errorAt, numberOption, option, requiredOption, UsageError, type Options } from './usage.ts'

/** npm and terminals may deliver one Ctrl-C twice; what follows sooner is the same one. */
const SAME_SIGNAL_MS = 1000
/** Weight of the latest step in the mean time of a step. */
const PACE = 0.05

export function addTrain(cli: CAC): void {
  cli
    .command('train', 'Trains a model, or goes on with a run that was stopped')
    .usage('train --config FILE [options]')
    .option('--config <file>', 'Configuration of the run, JSON; its paths are relative to it')
    .option('--init <file>', 'Starts a new run from the weights of a checkpoint or a model file')
    .option('--output <folder>', 'Folder of the run instead of the one that the configuration names')
    .option('--seed <number>', 'Seed of the run instead of the one that the configuration has')
    .option(
      '--threads <number>',
      'Threads that train, which change no bit; default: the cores of the machine, at most 4',
    )
    .option('--allow-changed-config', 'Goes on although the configuration is not that of the checkpoint')
    .example('  $ bitgen train --config models/emoji-nano/train.json --output runs/mine')
    .action(async (options: Options) => {
      const config = readTrainConfig(requiredOption(options, 'config'))
      config.output = resolve(option(options, 'output') ?? config.output)
      const seed = numberOption(options, 'seed') ?? config.seed
      if (seed !== seed >>> 0)
        throw new UsageError(message('--seed', 'must be a whole number from 0 to 2^32 - 1', seed))
      config.seed = seed
      const threads = numberOption(options, 'threads') ?? Math.min(4, cores())
      if (!Number.isInteger(threads) || threads < 1)
        throw new UsageError(message('--threads', 'must be a whole number from 1', threads))
      const { allowChangedConfig = false } = options
      if (typeof allowChangedConfig !== 'boolean') {
        throw new UsageError(message('--allow-changed-config', 'must have no value', allowChangedConfig))
      }
      const init = option(options, 'init')
      await train(config, threads, { allowChangedConfig, init: init === undefined ? undefined : readInit(init) })
    })
}

/** What `--init` names: a checkpoint has the weights that training left, a model file what export made of them. */
function readInit(path: string): RunOptions['init'] {
  try {
    const bytes = readFileSync(path)
    const { kind } = readSafetensors(bytes).metadata
    if (kind === 'checkpoint') return { checkpoint: readCheckpoint(path), path }
    return { model: readModelFile(bytes) }
  } catch (error) {
    throw errorAt(path, 'must be a model file or a checkpoint', error)
  }
}

async function train(
  config: TrainConfig,
  wanted: number,
  start: Pick<RunOptions, 'allowChangedConfig' | 'init'>,
): Promise<void> {
  const kernels = await loadKernels({ sources: TRAINING_KERNELS, threads: wanted })
  const { isa } = kernels.manifest
  const threads = kernels.team?.threads ?? 1
  const show = new Show(config)
  show.note(
    `${config.name}: ${count(config.steps)} steps of ${config.batch * config.accumulate} pairs on ${isa} kernels, ` +
      `${threads} ${threads === 1 ? 'thread' : 'threads'}`,
  )
  const stop = stopOnSignals(() => show.note('finishing the step and saving; once more ends at once'))
  try {
    const result = await trainRun(config, { kernels, signal: stop.signal, ...start, ...show.events })
    show.end()
    console.log(summary(config, result))
  } finally {
    show.end()
    stop.release()
  }
}

/** Aborts on the first SIGINT or SIGTERM, exits on the second. */
function stopOnSignals(onFirst: () => void): { signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  let first = 0
  const onSignal = (name: NodeJS.Signals) => {
    const now = performance.now()
    if (!controller.signal.aborted) {
      first = now
      onFirst()
      controller.abort()
    } else if (now - first > SAME_SIGNAL_MS) process.exit(name === 'SIGINT' ? 130 : 143)
  }
  const names = ['SIGINT', 'SIGTERM'] as const
  for (const name of names) process.on(name, onSignal)
  return {
    signal: controller.signal,
    release: () => names.forEach((name) => process.off(name, onSignal)),
  }
}

/** What a run reports, as progress: first pictures, then steps. */
class Show {
  readonly events: RunEvents
  private progress: Progress | undefined
  /** Mean seconds of a step, evaluations and checkpoints included. */
  private pace: number | undefined
  private last = performance.now()

  constructor(config: TrainConfig) {
    const pairs = config.batch * config.accumulate
    this.events = {
      onPictures: (done, all) => {
        this.progress ??= new Progress('pictures', all)
        this.progress.update(done)
        if (done === all) this.end()
      },
      onNote: (line) => this.note(line),
      onEvaluation: (report) => this.note(evaluationLine(report)),
      onStep: (report, steps, imagesPerSecond) => {
        const { step, skipped } = report
        this.progress ??= new Progress('steps', steps, step - 1)
        if (skipped) this.note(`step ${step} was skipped: its gradient was not finite`)
        const seconds = this.secondsPerStep(pairs / imagesPerSecond)
        const left = duration((steps - step) * seconds)
        const pace = `${(pairs / seconds).toFixed(pairs / seconds < 10 ? 1 : 0)} images/s ETA ${left}`
        this.progress.update(step, `${scoresLine(report)} ${pace}`)
      },
    }
  }

  private secondsPerStep(ofStepAlone: number): number {
    const now = performance.now()
    const latest = this.pace === undefined ? ofStepAlone : (now - this.last) / 1000
    this.last = now
    this.pace = this.pace === undefined ? latest : (1 - PACE) * this.pace + PACE * latest
    return this.pace
  }

  note(line: string): void {
    if (this.progress) this.progress.note(line)
    else process.stderr.write(`${line}\n`)
  }

  end(): void {
    this.progress?.stop()
    this.progress = undefined
  }
}

function evaluationLine({ step, t2i, i2t, meanRecall, scores }: ValidationReport): string {
  const way = ({ r1, r5, r10 }: ValidationReport['t2i']) => [r1, r5, r10].map((r) => r.toFixed(1)).join(' ')
  const recalls = `R@1 R@5 R@10 text to image ${way(t2i)}, image to text ${way(i2t)}, mean ${meanRecall.toFixed(1)}`
  return `step ${step}: ${recalls}; ${scoresLine(scores)}`
}

/** The scores that were measured, by the names of the card. */
function scoresLine(scores: Scores): string {
  const shown: [name: string, value: number | undefined, digits: number][] = [
    ['loss', scores.loss, 3],
    ['acc_t2i', scores.accT2i, 2],
    ['acc_i2t', scores.accI2t, 2],
    ['itm_acc', scores.itmAcc, 2],
    ['perplexity', scores.perplexity, 1],
    ['memory_quality', scores.memoryQuality, 2],
  ]
  return shown
    .flatMap(([name, value, digits]) => (value === undefined ? [] : [`${name} ${value.toFixed(digits)}`]))
    .join(' ')
}

function summary({ output, steps }: TrainConfig, { progress, reason }: RunResult): string {
  const { step, best, skipped } = progress
  const paths = runPaths(output)
  if (reason === 'stopped' && step === 0) return 'stopped before it began; the same command goes on'
  return [
    `${reason} at step ${count(step)} of ${count(steps)}${reason === 'stopped' ? '; the same command goes on' : ''}`,
    ...(skipped > 0 ? [`${skipped} steps were skipped: their gradients were not finite`] : []),
    ...(best ? [`best mean recall ${best.meanRecall.toFixed(1)} at step ${count(best.step)}`] : []),
    `checkpoints ${paths.checkpoints}`,
    `metrics ${paths.metrics}`,
  ].join('\n')
}
