/**
 * AssemblyScript to WebAssembly, in memory: asc with the flags of asconfig.json, then binaryen strips what a kernel
 * module does not need. The two carry different binaryens: bytes pass between them, never module objects.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import asc from 'assemblyscript/asc'
import binaryen from 'binaryen'
import type { Isa } from '../src/abi.ts'

const ROOT = join(import.meta.dirname, '..')

export interface Module {
  wasm: Uint8Array<ArrayBuffer>
  /** First byte behind the constants: what the exported function `heapBase` returns; 0 where there is none. */
  heapBase: number
}

/** Compiles `files` (from `entry.ts`) for an instruction set; throws with asc's own message, file and line. */
export async function compile(isa: Isa, files: ReadonlyMap<string, string>): Promise<Module> {
  let wasm: Uint8Array | undefined
  const said: string[] = []
  const stream = { write: (text: string | Uint8Array) => (said.push(String(text)), true) }
  const { error } = await asc.main(['entry.ts', '--target', isa, '--outFile', 'kernels.wasm'], {
    stdout: stream,
    stderr: stream,
    readFile: (name) => {
      if (name.endsWith('asconfig.json')) return readFileSync(join(ROOT, 'asconfig.json'), 'utf8')
      if (name.startsWith('lib/')) return readIfThere(join(ROOT, 'assembly', name))
      return files.get(name) ?? null
    },
    writeFile: (name, contents) => {
      if (name.endsWith('.wasm')) wasm = contents as Uint8Array
    },
    listFiles: () => [],
  })
  if (error || !wasm) throw new Error(`asc ${isa}: ${error?.message ?? 'no output'}\n${said.join('')}`)
  return strip(wasm)
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

/** Strips names and unused parts; reads heapBase here, since this engine may not know the instructions of the module. */
function strip(source: Uint8Array): Module {
  const module = binaryen.readBinary(source)
  module.setFeatures(binaryen.Features.All)
  const heapBase = takeHeapBase(module)
  module.runPasses([
    'remove-unused-module-elements',
    'strip-debug',
    'strip-producers',
    'strip-target-features',
    'vacuum',
  ])
  const wasm = new Uint8Array(module.emitBinary())
  module.dispose()
  return { wasm, heapBase }
}

/** The module with no other functions than those that `isKept` exports need. */
export function withExports(source: Uint8Array, isKept: (name: string) => boolean): Uint8Array<ArrayBuffer> {
  const module = binaryen.readBinary(source)
  module.setFeatures(binaryen.Features.All)
  for (let i = module.getNumExports() - 1; i >= 0; i--) {
    const { name } = binaryen.getExportInfo(module.getExportByIndex(i))
    if (!isKept(name)) module.removeExport(name)
  }
  module.runPasses(['remove-unused-module-elements'])
  const wasm = new Uint8Array(module.emitBinary())
  module.dispose()
  return wasm
}

function takeHeapBase(module: binaryen.Module): number {
  const exported = module.getExport('heapBase')
  if (!exported) return 0
  const { body } = binaryen.getFunctionInfo(module.getFunction(binaryen.getExportInfo(exported).value))
  module.removeExport('heapBase')
  return (binaryen.getExpressionInfo(body) as binaryen.ConstInfo).value as number
}
