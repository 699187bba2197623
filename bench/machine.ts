/** What a figure was measured on: processor, vector extensions, engine. */
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'

export interface Machine {
  cpu: string
  /** Vector extensions that the kernels profit from; empty where the system does not tell. */
  flags: string[]
  cores: number
  threads: 1
  node: string
  v8: string
  date: string
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
    cpu: cpus()[0]?.model ?? 'unknown',
    flags,
    cores: availableParallelism(),
    threads: 1,
    node: process.versions.node,
    v8: process.versions.v8,
    date: new Date().toISOString().slice(0, 10),
  }
}

/** One line for the head of a table. */
export function describe({ cpu, flags, cores, node, v8, date }: Machine): string {
  return `${cpu} (${flags.join(' ')}), ${cores} cores, 1 thread, Node ${node}, V8 ${v8}, ${date}`
}
