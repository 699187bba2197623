/**
 * The kernel modules as JavaScript modules, one for each instruction set, which codegen writes to build/. Only the one
 * that is chosen is loaded. The paths hold from src/ and, bundled, from build/ alike.
 */
import type { Isa, Manifest } from './abi.ts'
import { fromBase64 } from './base/base64.ts'
import type { KernelSource } from './runtime/load.ts'

/** Default export of build/kernels-<isa>.js. */
interface KernelModule {
  /** kernels.wasm in base64. */
  wasm: string
  manifest: Manifest
}

function source(isa: Isa, load: () => Promise<{ default: KernelModule }>): KernelSource {
  return {
    isa,
    async load() {
      const { wasm, manifest } = (await load()).default
      return { wasm: fromBase64(wasm), manifest }
    },
  }
}

export const KERNELS: readonly KernelSource[] = [
  source('scalar', () => import('../build/kernels-scalar.js')),
  source('simd128', () => import('../build/kernels-simd128.js')),
  source('relaxed', () => import('../build/kernels-relaxed.js')),
]
