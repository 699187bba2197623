/**
 * An instantiated kernel module: its exports, its manifest and the one accessor to its memory. Views are taken fresh
 * at every use, because growing memory detaches old ones.
 */
import type { KernelEntry, Manifest } from '../abi.ts'
import { view, type DType, type TensorData } from '../base/dtype.ts'
import { requireThat } from '../base/errors.ts'

type KernelFunction = (...args: number[]) => void

const PAGE = 65536
/** wasm32 addresses end here. */
const MAX_BYTES = 65536 * PAGE

/** What the trial at load found of the deterministic variants of one family. */
export interface Trial {
  family: string
  /** Microseconds that the known answer took, by kernel; the one that serves comes first. */
  microseconds: [kernel: string, microseconds: number][]
}

export class Kernels {
  readonly manifest: Manifest
  readonly memory: WebAssembly.Memory
  /** Bytes that memory may grow to. */
  readonly maxMemory: number
  /** Kernels that failed their known answer and serve nothing, with the reason. */
  readonly struckOut = new Map<string, string>()
  /** Of each family that had a choice. */
  readonly trials: Trial[] = []
  private readonly exports: WebAssembly.Exports
  /** In order of preference. */
  private serving: KernelEntry[]

  constructor(manifest: Manifest, instance: WebAssembly.Instance, maxMemory = MAX_BYTES) {
    this.manifest = manifest
    this.maxMemory = Math.min(maxMemory, MAX_BYTES)
    this.exports = instance.exports
    this.serving = [...manifest.kernels]
    this.memory = instance.exports.memory as WebAssembly.Memory
  }

  /** The kernel that serves a family: of those that the plan allows, the first in order of preference. */
  entry(family: string, deterministic: boolean): KernelEntry {
    const found = this.serving.find((k) => k.family === family && (k.deterministic || !deterministic))
    requireThat(found !== undefined, `kernels ${this.manifest.isa}`, `must have a kernel of family ${family}`)
    return found
  }

  /** Kernels of a family that give the same bits, the one that serves first. */
  variants(family: string): KernelEntry[] {
    return this.serving.filter((k) => k.family === family && k.deterministic)
  }

  /** Lets a kernel serve no more. */
  strikeOut(entry: KernelEntry, reason: string): void {
    this.serving = this.serving.filter((one) => one !== entry)
    this.struckOut.set(entry.name, reason)
  }

  /** Lets one of the `variants` of a family serve it. */
  prefer(entry: KernelEntry): void {
    const others = this.serving.filter((one) => one !== entry)
    const at = others.findIndex((one) => one.family === entry.family && one.deterministic)
    if (at >= 0) this.serving = [...others.slice(0, at), entry, ...others.slice(at)]
  }

  function(entry: KernelEntry): KernelFunction {
    return this.exports[entry.name] as KernelFunction
  }

  /** Grows memory so that it holds `bytes`; throws a RangeError where that is over the limit, or more than there is. */
  reserve(bytes: number): void {
    requireThat(bytes <= this.maxMemory, 'memory', `must stay within ${this.maxMemory} bytes`, bytes)
    const missing = Math.ceil((bytes - this.memory.buffer.byteLength) / PAGE)
    if (missing <= 0) return
    try {
      this.memory.grow(missing)
    } catch (cause) {
      throw new RangeError(`memory: the engine must give ${bytes} bytes`, { cause })
    }
  }

  view(dtype: DType, offset: number, length: number): TensorData {
    return view(dtype, this.memory.buffer, offset, length)
  }
}

/** Compiles and instantiates a module; it has no imports. */
export async function instantiate(wasm: BufferSource, manifest: Manifest, maxMemory?: number): Promise<Kernels> {
  const { instance } = await WebAssembly.instantiate(wasm, {})
  return new Kernels(manifest, instance, maxMemory)
}
