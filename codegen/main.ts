/**
 * `npm run gen`: writes build/<isa>/{kernels.wasm, manifest.json} for every instruction set, the same as scripts, and
 * build/checks.js. Skips the work where the sources are unchanged.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Isa, KnownAnswer, Manifest } from '../src/abi.ts'
import { instantiate } from '../src/runtime/kernels.ts'
import { compile } from './compile.ts'
import { emitKernels } from './emit-kernels.ts'
import { knownAnswers } from './known-answers.ts'
import { TARGETS } from './registry.ts'

const ROOT = join(import.meta.dirname, '..')

/** What decides the modules and their known answers: folders (their .ts files) and files. */
const SOURCES = [
  'asconfig.json',
  'package-lock.json',
  'assembly/checks',
  'assembly/kernels',
  'assembly/lib',
  'codegen',
  'codegen/templates',
  'src/abi.ts',
  'src/base',
  'src/graph',
  'src/ops',
  'src/plan',
  'src/quant',
  'src/runtime',
  'targets',
  'test/support',
]

function sourceDigest(): string {
  const hash = createHash('sha256')
  for (const name of SOURCES) {
    const path = join(ROOT, name)
    const isFile = /\.\w+$/.test(name)
    const scripts = isFile ? [] : readdirSync(path).filter((file) => file.endsWith('.ts'))
    const files = isFile ? [path] : scripts.sort().map((file) => join(path, file))
    for (const file of files) hash.update(file.slice(ROOT.length)).update(readFileSync(file))
  }
  return hash.digest('hex')
}

/** Writes one module; `answers` are those of the scalar module, which is built first and makes them. */
async function build(isa: Isa, answers?: KnownAnswer[]): Promise<KnownAnswer[]> {
  const read = (name: string) => readFileSync(join(ROOT, 'assembly/kernels', `${name}.ts`), 'utf8')
  const { files, kernels } = emitKernels(isa, read)
  const { wasm, heapBase } = await compile(isa, files)
  const sha256 = createHash('sha256').update(wasm).digest('hex')
  const manifest: Manifest = { isa, heapBase, sha256, kernels, answers: answers ?? [] }
  if (!answers) manifest.answers = knownAnswers(await instantiate(await WebAssembly.compile(wasm), manifest))
  const text = JSON.stringify(manifest)
  const folder = join(ROOT, 'build', isa)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'kernels.wasm'), wasm)
  writeFileSync(join(folder, 'manifest.json'), text)
  const base64 = Buffer.from(wasm).toString('base64')
  // Engines read JSON faster than they read the same as a literal.
  const manifestText = `JSON.parse('${text.replace(/[\\']/g, '\\$&')}')`
  const script = `export default { wasm: '${base64}', manifest: ${manifestText} }\n`
  writeFileSync(join(ROOT, 'build', `kernels-${isa}.js`), script)
  const [wasmGzip, manifestGzip] = [gzipSync(wasm).length, gzipSync(text).length]
  console.log(
    `${isa}: ${kernels.length} kernels, ${wasm.length} bytes, ${wasmGzip} gzip, manifest ${manifestGzip} gzip`,
  )
  return manifest.answers
}

/** The module that checks files (src/io/checks.ts), as a script. */
async function buildChecks(): Promise<void> {
  const folder = join(ROOT, 'assembly/checks')
  const files = readdirSync(folder).map((name): [string, string] => [name, readFileSync(join(folder, name), 'utf8')])
  const { wasm } = await compile('scalar', new Map(files))
  writeFileSync(join(ROOT, 'build/checks.js'), `export default '${Buffer.from(wasm).toString('base64')}'\n`)
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
  // A build that fails half way does not pass for the one before it.
  rmSync(stamp, { force: true })
  let answers: KnownAnswer[] | undefined
  for (const { isa } of TARGETS) answers = await build(isa, answers)
  await buildChecks()
  writeFileSync(stamp, digest)
}
