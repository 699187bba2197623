/**
 * `npm run gen`: writes build/<isa>/{kernels.wasm, manifest.json} for every instruction set. Skips the work where the
 * sources are unchanged. The only file of codegen that writes.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { ISAS, type Isa, type Manifest } from '../src/abi.ts'
import { compile } from './compile.ts'
import { emitKernels } from './emit-kernels.ts'

const ROOT = join(import.meta.dirname, '..')

/** Digest of everything that decides what is built. */
function sourceDigest(): string {
  const hash = createHash('sha256')
  const folders = ['codegen', 'codegen/templates', 'assembly/lib', 'assembly/kernels', 'src/abi.ts', 'asconfig.json', 'package-lock.json']
  for (const folder of folders) {
    const path = join(ROOT, folder)
    const files = /\.\w+$/.test(folder) ? [path] : readdirSync(path).filter((file) => file.endsWith('.ts')).sort().map((file) => join(path, file))
    for (const file of files) hash.update(file.slice(ROOT.length)).update(readFileSync(file))
  }
  return hash.digest('hex')
}

async function build(isa: Isa): Promise<void> {
  const read = (name: string) => readFileSync(join(ROOT, 'assembly/kernels', `${name}.ts`), 'utf8')
  const { files, kernels } = emitKernels(isa, read)
  const { wasm, heapBase } = await compile(isa, files)
  const sha256 = createHash('sha256').update(wasm).digest('hex')
  const manifest: Manifest = { isa, heapBase, sha256, kernels }
  const folder = join(ROOT, 'build', isa)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'kernels.wasm'), wasm)
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
  console.log(`${isa}: ${kernels.length} kernels, ${wasm.length} bytes, ${gzipSync(wasm).length} gzip`)
}

const digest = sourceDigest()
const stamp = join(ROOT, 'build', 'sources.sha256')
let built = ''
try {
  built = readFileSync(stamp, 'utf8')
} catch {
  // No build yet.
}
if (built === digest) console.log('kernels: up to date')
else {
  for (const isa of ISAS) await build(isa)
  writeFileSync(stamp, digest)
}
