/**
 * A training run on disk: steps, evaluations, checkpoints, metrics.jsonl. It can be stopped at any step and killed at
 * any moment; started again it goes on from the newest checkpoint that verifies and ends in the same bytes.
 */
import { mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { attempt, errorText, message, show } from '../base/errors.ts'
import { count } from '../base/readable.ts'
import { loadNewest, saveCheckpoint, type Checkpoint, type FileSystem } from '../io/checkpoint.ts'
import { withLock } from '../io/lock.ts'
import { KEPT, type ModelFile } from '../io/model-file.ts'
import type { Container, SafetensorsDtype, Tensor } from '../io/safetensors.ts'
import { TRAINING_KERNELS } from '../training-kernels.ts'
import type { Kernels } from '../runtime/kernels.ts'
import { loadKernels } from '../runtime/load.ts'
import type { TrainConfig } from './config.ts'
import { loadTrainData } from './data.ts'
import { Metrics } from './metrics.ts'
import { recordOf, startRow } from './record.ts'
import { runReport } from './run-report.ts'
import { Trainer, type StepReport, type ValidationReport } from './trainer.ts'

/** What a checkpoint holds besides tensors. Nothing in it depends on the time or the machine. */
export interface RunState {
  step: number
  /** Steps that were skipped because the gradient was not finite, in all and in a row up to now. */
  skipped: number
  skippedInRow: number
  best: { step: number; meanRecall: number } | null
  evaluationsSinceBest: number
}

export interface RunEvents {
  onPictures?(done: number, all: number): void
  /** A line for people: what was resumed, skipped, saved. */
  onNote?(line: string): void
  onStep?(report: StepReport, steps: number, imagesPerSecond: number): void
  onEvaluation?(report: ValidationReport): void
}

export interface RunOptions extends RunEvents {
  /** Default: the best that work here. */
  kernels?: Kernels
  /** Ends the run after the current step, with a checkpoint and a report; while pictures load, at once. */
  signal?: AbortSignal
  /** Starting values of a new run; a resumed one goes on from its checkpoint. */
  init?: { model: ModelFile } | { checkpoint: Container; path: string }
  /** Goes on although the configuration is not that of the checkpoint. */
  allowChangedConfig?: boolean
  /** What checkpoints are written with: for tests of failures. Default node:fs. */
  fs?: FileSystem
}

export interface RunResult {
  progress: RunState
  reason: 'finished' | 'stopped' | 'no better for the patience given'
}

/** Not finite this often in a row: the run is lost. */
const MAX_SKIPPED = 5
const START: RunState = { step: 0, skipped: 0, skippedInRow: 0, best: null, evaluationsSinceBest: 0 }
const DTYPES: Record<string, SafetensorsDtype> = { Float32Array: 'F32', Int32Array: 'I32', Uint8Array: 'U8' }

/** Paths of a run below its output folder. */
export const runPaths = (output: string) => ({
  checkpoints: join(output, 'checkpoints'),
  metrics: join(output, 'metrics.jsonl'),
  report: join(output, 'report.html'),
})

/**
 * Trains as configured, from the newest checkpoint of the output folder if there is one. Ends with report.html.
 * Throws where another process trains into the folder, no kernels work here, the data or a checkpoint cannot be used, a
 * file cannot be written, or gradients stay infinite.
 */
export async function trainRun(config: TrainConfig, options: RunOptions = {}): Promise<RunResult> {
  const { kernels = await loadKernels({ sources: TRAINING_KERNELS }), signal } = options
  attempt(config.output, 'must be a folder to write to', () => mkdirSync(config.output, { recursive: true }))
  return withLock(join(config.output, 'run'), 0, async () => {
    const data = await loadTrainData(kernels, config, options.onPictures, signal).catch((error: unknown) => {
      if (signal?.aborted) return null
      throw error
    })
    if (!data) return { progress: { ...START }, reason: 'stopped' }
    const run = new Run(new Trainer(kernels, config, data), options)
    run.start()
    const reason = await run.loop(signal)
    await run.report(reason)
    return { progress: run.progress, reason }
  })
}

class Run {
  progress: RunState = { ...START }
  /** How the weights that the run started from were trained; null where they are initial ones. */
  private startedFrom: unknown = null
  private readonly trainer: Trainer
  private readonly options: RunOptions
  private readonly paths: ReturnType<typeof runPaths>
  private readonly metrics: Metrics
  private saved = -1

  constructor(trainer: Trainer, options: RunOptions) {
    this.trainer = trainer
    this.options = options
    this.paths = runPaths(trainer.config.output)
    this.metrics = new Metrics(this.paths.metrics)
  }

  /** Resumes from the newest checkpoint, or centres the projections of a new run. */
  start(): void {
    const { init } = this.options
    const checkpoint = loadNewest(this.paths.checkpoints, this.options.fs)
    for (const { path, why } of checkpoint?.skipped ?? []) this.options.onNote?.(`skipped ${path}: ${why}`)
    if (checkpoint) this.restore(checkpoint)
    else if (init && 'model' in init) {
      this.noteNew(this.trainer.setParameters(init.model))
      this.startedFrom = init.model.manifest.training
    } else if (init) {
      this.noteNew(this.trainer.setFromCheckpoint(init.checkpoint))
      this.startedFrom = recordOf(init.path, init.checkpoint)
    } else {
      this.trainer.setTower()
      this.trainer.centre()
    }
    this.options.onNote?.(sizeOf(this.trainer))
    this.metrics.cut(this.progress.step)
    this.metrics.add(startRow(this.progress.step, this.trainer.executor.kernels))
  }

  /** Says which parts what the run starts from does not have. */
  private noteNew(names: readonly string[]): void {
    const parts = new Set(names.map((name) => name.split('.')[0]))
    if (parts.size > 0) this.options.onNote?.(`starting anew: ${names.length} parameters of ${[...parts].join(', ')}`)
  }

  async loop(signal?: AbortSignal): Promise<RunResult['reason']> {
    const { steps, checkpointEvery } = this.trainer.config
    const { evaluateEvery: every } = this.trainer.config
    const evaluateEvery = every === 'epoch' ? this.trainer.stepsPerEpoch : every
    for (;;) {
      // Lets signals and timers in: a step is one long synchronous call.
      await setImmediate()
      const reason = this.reasonToEnd(signal)
      if (reason) {
        this.save()
        return reason
      }
      this.step()
      const { step } = this.progress
      const better = (step % evaluateEvery === 0 || step === steps) && this.evaluate()
      if (better || step % checkpointEvery === 0) this.save(better)
    }
  }

  private reasonToEnd(signal?: AbortSignal): RunResult['reason'] | undefined {
    const { steps, patience } = this.trainer.config
    const { step, evaluationsSinceBest } = this.progress
    if (step >= steps) return 'finished'
    if (patience > 0 && evaluationsSinceBest >= patience) return 'no better for the patience given'
    return signal?.aborted ? 'stopped' : undefined
  }

  /** Writes report.html; a run whose checkpoint stands does not fail for want of it. */
  async report(reason: RunResult['reason']): Promise<void> {
    const { report } = this.paths
    try {
      // Charts take a megabyte of scripts, which who only embeds should not load.
      const { writeReport } = await import('./report.ts')
      // The pixel baseline decodes every picture again: nothing to wait for after Ctrl-C.
      const options = { baseline: reason !== 'stopped' }
      writeReport(report, await runReport(this.trainer, this.progress, this.metrics.read(), options))
      this.options.onNote?.(`report: ${report}`)
    } catch (error) {
      this.options.onNote?.(`no report: ${errorText(error)}`)
    }
  }

  private step(): void {
    const { config } = this.trainer
    const before = performance.now()
    const report = this.trainer.step(this.progress.step + 1)
    const images = config.batch * config.accumulate
    const imagesPerSecond = (1000 * images) / (performance.now() - before)
    this.progress.step++
    this.progress.skippedInRow = report.skipped ? this.progress.skippedInRow + 1 : 0
    if (report.skipped) this.progress.skipped++
    const batch = report.skipped ? { pictures: this.trainer.picturesOf(report.step) } : {}
    this.metrics.add({ kind: 'step', seconds: this.metrics.seconds, ...report, ...batch })
    this.options.onStep?.(report, config.steps, imagesPerSecond)
    if (this.progress.skippedInRow >= MAX_SKIPPED) {
      const steps = `those of the last ${MAX_SKIPPED} steps up to ${report.step} were not`
      throw new Error(message('train', `gradients must be finite; ${steps}, see pictures in ${this.paths.metrics}`))
    }
  }

  /** Evaluates; answers whether this is the best so far. */
  private evaluate(): boolean {
    const report = this.trainer.evaluate(this.progress.step)
    this.metrics.add({ kind: 'evaluation', seconds: this.metrics.seconds, ...report })
    this.options.onEvaluation?.(report)
    const { step, meanRecall } = report
    const better = this.progress.best === null || meanRecall > this.progress.best.meanRecall
    if (better) this.progress.best = { step, meanRecall }
    const { warmup, joinAt, steps } = this.trainer.config
    const counts = !better && step > Math.max(warmup, joinAt * steps)
    this.progress.evaluationsSinceBest = counts ? this.progress.evaluationsSinceBest + 1 : 0
    return better
  }

  private save(best = false): void {
    const { step } = this.progress
    if (this.saved === step) return
    const tensors = new Map<string, Tensor>()
    for (const [name, { shape, data }] of this.trainer.states()) {
      tensors.set(name, { dtype: DTYPES[data.constructor.name], shape, data: data as Tensor['data'] })
    }
    const kept = this.trainer.data.seen.kept
    tensors.set(KEPT, { dtype: 'I32', shape: [kept.length], data: Int32Array.from(kept) })
    const metadata = {
      kind: 'checkpoint',
      config: JSON.stringify(comparable(this.trainer)),
      model: JSON.stringify(this.trainer.model),
      source: JSON.stringify(this.trainer.data.source),
      progress: JSON.stringify(this.progress),
      ...(this.startedFrom ? { startedFrom: JSON.stringify(this.startedFrom) } : {}),
      kernels: this.trainer.executor.kernels.manifest.sha256,
    }
    saveCheckpoint(this.paths.checkpoints, step, tensors, metadata, { best, fs: this.options.fs })
    this.saved = step
  }

  private restore({ path, step, tensors, metadata }: Checkpoint): void {
    const now = JSON.stringify(comparable(this.trainer))
    if (metadata.config !== now && !this.options.allowChangedConfig) {
      const changed = changedKeys(metadata.config, now)
      throw new Error(message(path, `must have been made with this configuration; changed: ${changed}`))
    }
    const words = this.trainer.data.seen.kept
    const sameWords = this.trainer.config.vocabulary === 'full' || isDeepStrictEqual(tensors.get(KEPT)?.data, words)
    if (!sameWords) throw new Error(message(path, 'must hold the vocabulary of this run; --init takes another one'))
    for (const [name, { shape, data }] of this.trainer.states()) {
      const tensor = tensors.get(name)
      if (!tensor || JSON.stringify(tensor.shape) !== JSON.stringify(shape)) {
        throw new Error(message(path, `must hold ${name} [${shape}]`, tensor?.shape))
      }
      data.set(tensor.data as Float32Array)
    }
    this.progress = JSON.parse(metadata.progress) as RunState
    this.startedFrom = JSON.parse(metadata.startedFrom ?? 'null')
    this.saved = step
    this.options.onNote?.(`resumed from ${path}`)
    const { sha256 } = this.trainer.executor.kernels.manifest
    if (metadata.kernels !== sha256)
      this.options.onNote?.('the kernels are not those of the checkpoint: last bits may differ')
  }
}

/** One line on what the run takes, all of it reserved before the first step. */
function sizeOf({ executor, size, stepsPerEpoch }: Trainer): string {
  const { total, state, arena } = executor.memoryUse
  const megabytes = (bytes: number) => `${count(Math.ceil(bytes / 1e6))} MB`
  return (
    `${count(size)} parameters; memory ${megabytes(total)}: parameters, moments and queue ` +
    `${megabytes(state)}, batches and what gradients need of them ${megabytes(arena)}; ${stepsPerEpoch} steps an epoch`
  )
}

/** What must be equal for a run to go on: everything but where files lie. */
function comparable({ config, data }: Trainer): unknown {
  const { output: _output, towerWeights, ...rest } = config
  return { ...rest, ...(towerWeights && { towerWeights: basename(towerWeights) }), data: data.sha256 }
}

function changedKeys(before: string, now: string): string {
  const [old, fresh] = [JSON.parse(before), JSON.parse(now)] as Record<string, unknown>[]
  const keys = [...new Set([...Object.keys(old), ...Object.keys(fresh)])]
  const changed = keys.filter((key) => JSON.stringify(old[key]) !== JSON.stringify(fresh[key]))
  return changed.map((key) => `${key} ${show(old[key])} -> ${show(fresh[key])}`).join(', ')
}
