/**
 * An instantiated kernel module: its exports, its manifest and the one accessor to its memory. Views are taken fresh
 * at every use, because growing memory detaches old ones.
 */
import { BUFFER_ALIGN, roundUp, trialName, type KernelEntry, type Manifest } from '../abi.ts'
import { view, type DType, type TensorData } from '../base/dtype.ts'
import { requireThat } from '../base/errors.ts'
import { growTo, PAGE } from '../base/wasm-memory.ts'
import type { Team } from './threads.ts'

type KernelFunction = (...args: number[]) => void

/** What fills and digests memory for known answers (assembly/lib/answers.ts). */
interface Answering {
  startAnswer(at: number, bytes: number): void
  fillAnswer(at: number, type: number, count: number, low: number, high: number): void
  digestAnswer(at: number, words: number): number
}

/** wasm32 addresses end here. */
const MAX_BYTES = 65536 * PAGE

/** What the trial at load found of the deterministic variants of one family. */
export interface Trial {
  family: string
  /** Microseconds that 100 turns of its trial loop took, by kernel; the one that serves comes first. */
  microseconds: [kernel: string, microseconds: number][]
}

export class Kernels {
  readonly manifest: Manifest
  readonly memory: WebAssembly.Memory
  /** Bytes that memory may grow to. */
  readonly maxMemory: number
  /** The threads that run plans, where there are several. */
  readonly team: Team | undefined
  /** Kernels that failed their known answer and serve nothing, with the reason. */
  readonly struckOut = new Map<string, string>()
  /** Of each family that had a choice. */
  readonly trials: Trial[] = []
  /** Bytes that a file takes of what lies before `base`. */
  roomBytes = 0
  private readonly exports: WebAssembly.Exports
  private roomEnd?: number
  /** By family, in order of preference. */
  private readonly serving = new Map<string, KernelEntry[]>()

  constructor(manifest: Manifest, instance: WebAssembly.Instance, maxMemory = MAX_BYTES, team?: Team) {
    this.manifest = manifest
    this.team = team
    this.maxMemory = Math.min(maxMemory, MAX_BYTES)
    this.exports = instance.exports
    for (const entry of manifest.kernels) {
      const family = this.serving.get(entry.family)
      if (family) family.push(entry)
      else this.serving.set(entry.family, [entry])
    }
    this.memory = instance.exports.memory as WebAssembly.Memory
  }

  /** First byte that plans may use. */
  get base(): number {
    return this.roomEnd ?? this.team?.base ?? this.manifest.heapBase
  }

  /**
   * Takes memory for `bytes` of a file from what plans may use, and grows it so that `behind` bytes may be used behind
   * that at once. Returns the address.
   */
  takeRoom(bytes: number, behind: number): number {
    const at = roundUp(this.base, BUFFER_ALIGN)
    const end = roundUp(at + bytes, BUFFER_ALIGN)
    this.reserve(end + behind)
    this.roomEnd = end
    this.roomBytes = end - at
    return at
  }

  /** The kernel that serves a family: of those that the plan allows, the first in order of preference. */
  entry(family: string, deterministic: boolean): KernelEntry {
    const found = this.family(family).find((one) => one.deterministic || !deterministic)
    requireThat(found !== undefined, `kernels ${this.manifest.isa}`, `must have a kernel of family ${family}`)
    return found
  }

  /** Kernels of a family in order of preference, without those that failed. */
  family(family: string): readonly KernelEntry[] {
    return this.serving.get(family) ?? []
  }

  /** Those of a family that give the same bits, the one that serves first. */
  variants(family: string): KernelEntry[] {
    return this.family(family).filter(({ deterministic }) => deterministic)
  }

  /** Lets a kernel serve no more. */
  strikeOut(entry: KernelEntry, reason: string): void {
    this.serve(entry.family, (family) => family.filter((one) => one !== entry))
    this.struckOut.set(entry.name, reason)
  }

  /** Lets one of the `variants` of a family serve it. */
  prefer(entry: KernelEntry): void {
    this.serve(entry.family, (family) => {
      const others = family.filter((one) => one !== entry)
      const at = others.findIndex(({ deterministic }) => deterministic)
      return at < 0 ? family : [...others.slice(0, at), entry, ...others.slice(at)]
    })
  }

  private serve(family: string, change: (serving: KernelEntry[]) => KernelEntry[]): void {
    this.serving.set(family, change(this.serving.get(family)!))
  }

  function(entry: KernelEntry): KernelFunction {
    return this.exports[entry.name] as KernelFunction
  }

  /** The loop that times the multiplication of a kernel (codegen/templates/trial_loop.ts), where it has one. */
  trialLoop(entry: KernelEntry): ((turns: number) => void) | undefined {
    return this.exports[trialName(entry.name)] as KernelFunction | undefined
  }

  get answering(): Answering {
    return this.exports as unknown as Answering
  }

  /** Makes this instance part `index` of `count`, of the call that it did a part of before where `again` is 1. */
  setPart(index: number, count: number, again = 0): void {
    const setPart = this.exports.setPart as KernelFunction
    setPart(index, count, 0, again)
  }

  /** Throws a RangeError where `bytes` are over the limit. */
  requireWithin(bytes: number): void {
    requireThat(bytes <= this.maxMemory, 'memory', `must stay within ${this.maxMemory} bytes`, bytes)
  }

  /** Grows memory so that it holds `bytes`; throws a RangeError where that is over the limit, or more than there is. */
  reserve(bytes: number): void {
    this.requireWithin(bytes)
    try {
      growTo(this.memory, bytes)
    } catch (cause) {
      throw new RangeError(`memory: the engine must give ${bytes} bytes`, { cause })
    }
  }

  view(dtype: DType, offset: number, length: number): TensorData {
    return view(dtype, this.memory.buffer, offset, length)
  }
}

/** Instantiates a compiled module; it has no imports. */
export async function instantiate(
  module: WebAssembly.Module,
  manifest: Manifest,
  maxMemory?: number,
): Promise<Kernels> {
  return new Kernels(manifest, await WebAssembly.instantiate(module, {}), maxMemory)
}

/** The same on memory that `threads` threads share. Throws where they cannot be had. */
export async function instantiateShared(
  wasm: Uint8Array<ArrayBuffer>,
  manifest: Manifest,
  threads: number,
  maxMemory = MAX_BYTES,
): Promise<Kernels> {
  // A script of its own, since few models need it.
  const { makeTeam } = await import('./threads.ts')
  const maximum = Math.floor(Math.min(maxMemory, MAX_BYTES) / PAGE)
  const { instance, team } = await makeTeam(threads, wasm, manifest, maximum)
  return new Kernels(manifest, instance, maxMemory, team)
}
