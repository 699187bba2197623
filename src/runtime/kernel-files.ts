/** Kernel modules as files, as codegen writes them: build/<isa>/{kernels.wasm, manifest.json}. Node only. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ISAS, type Manifest } from '../abi.ts'
import type { KernelSource } from './load.ts'

const BUILD = fileURLToPath(new URL('../../build', import.meta.url))

/** A source for every instruction set; a missing file fails when it is loaded. */
export function kernelFiles(folder = BUILD): KernelSource[] {
  return ISAS.map((isa) => ({
    isa,
    async load() {
      const [wasm, manifest] = await Promise.all([
        readFile(join(folder, isa, 'kernels.wasm')),
        readFile(join(folder, isa, 'manifest.json'), 'utf8'),
      ])
      return { wasm: new Uint8Array(wasm), manifest: JSON.parse(manifest) as Manifest }
    },
  }))
}
