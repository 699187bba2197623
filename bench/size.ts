/**
 * Bytes of what a device downloads, as they are and gzipped, and the bounds that hold for them: kernels of one
 * instruction set, and the inference script beside them. CI fails beyond.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { BUILD, CORE } from '../codegen/bundles.ts'
import type { Isa } from '../src/abi.ts'
import { message } from '../src/base/errors.ts'
import { DEFAULT_MODEL } from '../src/index.ts'

/** Gzipped bytes at most. */
const KERNEL_BOUND = 30_000
const CORE_BOUND = 40_000

export interface SizeRow {
  file: string
  bytes: number
  gzip: number
  /** Gzipped bytes that it must not exceed. */
  bound?: number
}

/** All kernels of `target`, and what a page loads that runs a model. */
export async function measureSizes(target: Isa): Promise<SizeRow[]> {
  const { outputFiles } = await build({ ...CORE, sourcemap: false, write: false })
  const rows = [
    sizeOf(`${target}/kernels.wasm`, readFileSync(join(BUILD, target, 'kernels.wasm')), KERNEL_BOUND),
    sizeOf(`kernels-${target}.js (inference)`, readFileSync(join(BUILD, `kernels-${target}.js`))),
    sizeOf('bitgen/core', outputFiles[0].contents, CORE_BOUND),
  ]
  return existsSync(DEFAULT_MODEL) ? [...rows, sizeOf('model of the package', readFileSync(DEFAULT_MODEL))] : rows
}

function sizeOf(file: string, contents: Uint8Array, bound?: number): SizeRow {
  const gzip = gzipSync(contents, { level: 9 }).length
  return { file, bytes: contents.length, gzip, ...(bound !== undefined && { bound }) }
}

export function sizeText(rows: readonly SizeRow[]): string {
  const lines = rows.map(({ file, bytes, gzip, bound }) => {
    const most = bound === undefined ? '' : `, at most ${bound}`
    return `  ${file.padEnd(36)} ${String(bytes).padStart(9)} bytes ${String(gzip).padStart(8)} gzip${most}`
  })
  return lines.join('\n')
}

/** Throws a RangeError that names every file beyond its bound. */
export function requireBounds(rows: readonly SizeRow[]): void {
  const beyond = rows.filter(({ gzip, bound }) => bound !== undefined && gzip > bound)
  const complaints = beyond.map(({ file, gzip, bound }) =>
    message(`size of ${file}`, `must be at most ${bound} bytes gzipped`, gzip),
  )
  if (complaints.length > 0) throw new RangeError(complaints.join('; '))
}
