/**
 * The kernel modules as JavaScript modules, one for each instruction set, which codegen writes to build/. Only the one
 * that is chosen is loaded. The paths hold from src/ and, bundled, from build/ alike.
 */
import type { Isa, Manifest } from './abi.ts'
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

/** Of engines that read base64 by themselves, as Node does too: a loop takes 2 ms before it is compiled. */
const { fromBase64: read } = Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  if (read) return read(text)
  if (typeof Buffer !== 'undefined') return Buffer.from(text, 'base64')
  const characters = atob(text)
  const bytes = new Uint8Array(characters.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i)
  return bytes
}

export const KERNELS: readonly KernelSource[] = [
  source('scalar', () => import('../build/kernels-scalar.js')),
  source('simd128', () => import('../build/kernels-simd128.js')),
  source('relaxed', () => import('../build/kernels-relaxed.js')),
]
