/**
 * Who trained a model, where and for how long: a row of metrics.jsonl at every start of a run, and their sum for the
 * manifest of the exported model. Nothing of it enters a checkpoint.
 */
import { execFileSync, type StdioOptions } from 'node:child_process'
import { availableParallelism, cpus } from 'node:os'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Isa } from '../abi.ts'
import type { Container } from '../io/safetensors.ts'
import type { Kernels } from '../runtime/kernels.ts'
import type { TrainConfig } from './config.ts'
import { readMetrics, secondsOf } from './metrics.ts'

export interface StartRow {
  kind: 'start'
  /** Steps done before. */
  step: number
  cpu: string
  cores: number
  node: string
  kernels: Isa
  /** Absent in what earlier versions wrote. */
  threads?: number
  /** Of the source tree; null where it is no git checkout. */
  commit: string | null
  date: string
}

export function startRow(step: number, { manifest, team }: Kernels): StartRow {
  return {
    kind: 'start',
    step,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    node: process.versions.node,
    kernels: manifest.isa,
    threads: team?.threads ?? 1,
    commit: currentCommit(),
    date: new Date().toISOString().slice(0, 10),
  }
}

/** Of this source tree; null where it is no git checkout. */
export function currentCommit(): string | null {
  return commitOf(fileURLToPath(import.meta.url))
}

/** The commit of the checkout that tracks a file: that of a project which this package is installed in says nothing. */
export function commitOf(file: string): string | null {
  const stdio: StdioOptions = ['ignore', 'pipe', 'ignore']
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: dirname(file), stdio })
      .toString()
      .trim()
  try {
    git('ls-files', '--error-unmatch', file)
    return git('rev-parse', '--short=12', 'HEAD')
  } catch {
    return null
  }
}

/**
 * The record of the run that wrote a checkpoint, from the metrics beside it: configuration, images, seconds of all
 * parts together; machine, threads and commit of the last one. Without metrics, what the checkpoint says.
 * `startedFrom` is the record of the run whose weights it began with.
 */
export function recordOf(path: string, { metadata }: Pick<Container, 'metadata'>): Record<string, unknown> {
  const config = JSON.parse(metadata.config) as TrainConfig
  const { step } = JSON.parse(metadata.progress) as { step: number }
  const startedFrom = JSON.parse(metadata.startedFrom ?? 'null') as Record<string, unknown> | null
  const images = step * config.batch * config.accumulate
  const before = startedFrom ? { startedFrom } : {}
  const record = { config, seed: config.seed, steps: step, images, ...before }
  const metrics = join(dirname(path), '..', 'metrics.jsonl')
  if (!existsSync(metrics)) return record
  const rows = readMetrics(metrics).filter((row) => row.step <= step)
  const start = rows.findLast((row) => row.kind === 'start')
  const { cpu, cores, node, kernels, threads, commit, date } = start ?? {}
  return { ...record, seconds: Math.round(secondsOf(rows)), cpu, cores, node, kernels, threads, commit, date }
}
