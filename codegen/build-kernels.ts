/**
 * Writes build/<isa>/{kernels.wasm, manifest.json} for every instruction set, the same as a script for training, a script
 * for inference with what that needs of it, and build/checks.js.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { trialName, type Isa, type KnownAnswer, type Manifest } from '../src/abi.ts'
import { instantiate } from '../src/runtime/kernels.ts'
import { compile, withExports } from './compile.ts'
import { COMMON_EXPORTS, emitKernels } from './emit-kernels.ts'
import { knownAnswers } from './known-answers.ts'
import { TARGETS, TRAINING_FAMILIES } from './registry.ts'

const ROOT = join(import.meta.dirname, '..')

export async function buildKernels(): Promise<void> {
  let answers: Answers | undefined
  for (const { isa } of TARGETS) answers = await build(isa, answers)
  await buildChecks()
}

/** Known answers of what trains and of what infers: those of the scalar modules, which are built first. */
interface Answers {
  training: KnownAnswer[]
  inference: KnownAnswer[]
}

/** Writes the modules of one instruction set; without `answers` they make them. */
async function build(isa: Isa, answers?: Answers): Promise<Answers> {
  const read = (name: string) => readFileSync(join(ROOT, 'assembly/kernels', `${name}.ts`), 'utf8')
  const { files, kernels } = emitKernels(isa, read)
  const { wasm, heapBase } = await compile(isa, files)
  const training = await describe(wasm, { isa, heapBase, kernels }, answers?.training)
  const folder = join(ROOT, 'build', isa)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'kernels.wasm'), wasm)
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(training))
  writeScript(`kernels-${isa}-training`, wasm, training)

  const needed = kernels.filter(({ family }) => !TRAINING_FAMILIES.has(family))
  const names = new Set([...COMMON_EXPORTS, ...needed.flatMap(({ name }) => [name, trialName(name)])])
  const less = withExports(wasm, (name) => names.has(name))
  const inference = await describe(less, { isa, heapBase, kernels: needed }, answers?.inference)
  writeScript(`kernels-${isa}`, less, inference)
  return { training: training.answers, inference: inference.answers }
}

/** The manifest of a module, which makes its answers where there are none yet. */
async function describe(
  wasm: Uint8Array<ArrayBuffer>,
  about: Pick<Manifest, 'isa' | 'heapBase' | 'kernels'>,
  answers?: KnownAnswer[],
): Promise<Manifest> {
  const sha256 = createHash('sha256').update(wasm).digest('hex')
  const manifest: Manifest = { ...about, sha256, answers: answers ?? [] }
  if (!answers) manifest.answers = knownAnswers(await instantiate(await WebAssembly.compile(wasm), manifest))
  return manifest
}

/** A module with its manifest as build/<name>.js. */
function writeScript(name: string, wasm: Uint8Array, manifest: Manifest): void {
  const text = JSON.stringify(manifest)
  const base64 = Buffer.from(wasm).toString('base64')
  // Engines read JSON faster than they read the same as a literal.
  const manifestText = `JSON.parse('${text.replace(/[\\']/g, '\\$&')}')`
  writeFileSync(join(ROOT, 'build', `${name}.js`), `export default { wasm: '${base64}', manifest: ${manifestText} }\n`)
  const [wasmGzip, manifestGzip] = [gzipSync(wasm).length, gzipSync(text).length]
  const { length } = manifest.kernels
  console.log(`${name}: ${length} kernels, ${wasm.length} bytes, ${wasmGzip} gzip, manifest ${manifestGzip} gzip`)
}

/** The module that checks files (src/io/checks.ts), as a script. */
async function buildChecks(): Promise<void> {
  const folder = join(ROOT, 'assembly/checks')
  const files = readdirSync(folder).map((name): [string, string] => [name, readFileSync(join(folder, name), 'utf8')])
  const { wasm } = await compile('scalar', new Map(files))
  writeFileSync(join(ROOT, 'build/checks.js'), `export default '${Buffer.from(wasm).toString('base64')}'\n`)
}
