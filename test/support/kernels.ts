/** The built kernel modules, scalar first, each instantiated anew: for tests that compare instruction sets. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { ISAS, type Isa, type Manifest } from '../../src/abi.ts'
import { checkAnswers } from '../../src/runtime/known-answers.ts'
import { instantiate, type Kernels } from '../../src/runtime/kernels.ts'

const BUILD = join(import.meta.dirname, '../../build')

/** Node 20 has relaxed SIMD behind a flag, which takes effect until the first module is compiled. */
const isBehindFlag = Number(process.versions.node.split('.')[0]) < 21
if (isBehindFlag) setFlagsFromString('--experimental-wasm-relaxed-simd')

/** What V8 11.3 compiles wrong behind that flag. */
const MISCOMPILED = /__relaxed_dot$/

export async function builtModule(isa: Isa): Promise<Kernels> {
  const manifest = JSON.parse(readFileSync(join(BUILD, isa, 'manifest.json'), 'utf8')) as Manifest
  return instantiate(await WebAssembly.compile(readFileSync(join(BUILD, isa, 'kernels.wasm'))), manifest)
}

/**
 * Modules that this engine accepts; scalar and simd128 always are. Variants of kernels that it is known to get wrong are
 * left out, as they are at load; another one that gives a wrong answer is a fault of ours, and an error.
 */
export async function builtKernels(): Promise<Kernels[]> {
  const modules: Kernels[] = []
  for (const isa of ISAS) {
    const wasm = readFileSync(join(BUILD, isa, 'kernels.wasm'))
    if (!WebAssembly.validate(wasm)) continue
    const tried = await builtModule(isa)
    const wrong = checkAnswers(tried)
    if (wrong !== undefined) throw new Error(`${isa}: ${wrong}`)
    const faults = [...tried.struckOut].filter(([name]) => !(isBehindFlag && MISCOMPILED.test(name)))
    if (faults.length > 0) throw new Error(faults.map((fault) => fault.join(': ')).join('; '))
    const kernels = tried.manifest.kernels.filter(({ name }) => !tried.struckOut.has(name))
    modules.push(await instantiate(await WebAssembly.compile(wasm), { ...tried.manifest, kernels }))
  }
  return modules
}
