/** What a figure was measured on and when: processor, vector extensions, engine, load, commit. */
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { currentCommit } from '../src/train/record.ts'

export interface Machine {
  cpu: string
  /** Vector extensions that the kernels profit from; empty where the system does not tell. */
  flags: string[]
  cores: number
  /** Bytes; null where the system does not tell, and rounded down to a power of two in pages. */
  memory: number | null
  /** Name and version: `Node 24.1.0, V8 13.6`, or what a browser calls itself. */
  engine: string
  threads: 1
  date: string
  /** Runnable threads in the minute before: figures count when it is well below the cores. Null in pages. */
  load: number | null
  /** Of the source tree; null where it is no git checkout. */
  commit: string | null
}

const TELLING = /^(avx2|avx512(bw|vl|_vnni)|avx_vnni|fma|ssse3|asimd|asimddp|i8mm|sve)$/

export function machine(): Machine {
  let flags: string[] = []
  try {
    const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? ''
    flags = line.split(/\s+/).filter((flag) => TELLING.test(flag))
  } catch {
    // Only Linux has this file.
  }
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown',
    flags,
    cores: availableParallelism(),
    memory: totalmem(),
    engine: `Node ${process.versions.node}, V8 ${process.versions.v8}`,
    threads: 1,
    date: new Date().toISOString().slice(0, 10),
    load: loadavg()[0],
    commit: currentCommit(),
  }
}

/** One line for the head of a table, and another where the machine has other work to do. */
export function describe({ cpu, flags, cores, engine, date, load }: Machine): string {
  const features = flags.length > 0 ? ` (${flags.join(' ')})` : ''
  const busy = load !== null && load > cores / 2
  const warning = busy ? `\nThe machine is busy (load ${load.toFixed(1)}): the figures below are too low.` : ''
  return `${cpu}${features}, ${cores} cores, 1 thread, ${engine}, ${date}${warning}`
}
