/** `npm run bench -- size [--json FILE]`: bytes of what a device downloads, as they are and gzipped. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { ISAS } from '../src/abi.ts'

const BUILD = join(import.meta.dirname, '../build')

interface Size {
  file: string
  bytes: number
  gzip: number
}

/** Kernel modules with their manifests, and the packaged scripts of build/ where they have been made. */
export async function benchSize(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { json: { type: 'string' } } })
  const modules = ISAS.flatMap((isa) => [join(isa, 'kernels.wasm'), join(isa, 'manifest.json')])
  const scripts = readdirSync(BUILD).filter((file) => file.endsWith('.js'))
  const sizes = [...modules, ...scripts].map((file): Size => {
    const contents = readFileSync(join(BUILD, file))
    return { file, bytes: contents.length, gzip: gzipSync(contents, { level: 9 }).length }
  })
  for (const { file, bytes, gzip } of sizes) {
    console.log(`${file.padEnd(28)} ${String(bytes).padStart(9)} bytes ${String(gzip).padStart(8)} gzip`)
  }
  if (values.json === undefined) return
  mkdirSync(dirname(values.json), { recursive: true })
  writeFileSync(values.json, `${JSON.stringify(sizes, null, 1)}\n`)
}
