/**
 * The kernel modules of inference as JavaScript modules, one for each instruction set, which codegen writes to build/.
 * Only the one that is chosen is loaded. The paths hold from src/ and, bundled, from build/ alike.
 */
import type { Isa, Manifest } from './abi.ts'
import { fromBase64 } from './base/base64.ts'
import type { KernelSource } from './runtime/load.ts'

/** Default export of build/kernels-<isa>.js. */
interface KernelModule {
  /** The module in base64. */
  wasm: string
  manifest: Manifest
}

export function kernelSource(isa: Isa, load: () => Promise<{ default: KernelModule }>): KernelSource {
  return {
    isa,
    async load() {
      const { wasm, manifest } = (await load()).default
      return { wasm: fromBase64(wasm), manifest }
    },
  }
}

/** With what plans of model files call. */
export const KERNELS: readonly KernelSource[] = [
  kernelSource('scalar', () => import('../build/kernels-scalar.js')),
  kernelSource('simd128', () => import('../build/kernels-simd128.js')),
  kernelSource('relaxed', () => import('../build/kernels-relaxed.js')),
]
