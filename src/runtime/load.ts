/**
 * Chooses the kernel module of this engine: the richest instruction set that it accepts and whose known answers come
 * out right; relaxed, simd128, scalar in this order. One module is compiled unless one fails. Within it, variants that
 * give a wrong answer are struck out, and the best of those with the same bits is found by a short trial.
 */
import { ISAS, type Isa, type Manifest } from '../abi.ts'
import { errorText, requireThat } from '../base/errors.ts'
import { checkAnswers } from './known-answers.ts'
import { instantiate, instantiateShared, type Kernels } from './kernels.ts'
import { chooseVariants } from './trial.ts'

/** No kernels work here, or not those that were asked for. */
export class KernelError extends Error {}

/** One module as it comes. */
export interface KernelCode {
  wasm: Uint8Array<ArrayBuffer>
  manifest: Manifest
}

/** Where one module comes from: files, embedded bytes, a server. */
export interface KernelSource {
  isa: Isa
  load(): Promise<KernelCode>
}

export interface KernelOptions {
  sources: readonly KernelSource[]
  /** Kernel families that will be called: the answers of others are not checked. Default: all. */
  families?: ReadonlySet<string>
  /** Bytes that memory may grow to; see Kernels. */
  maxMemory?: number
  /** Threads that run plans, default 1. Where the engine or page allows none, one does. */
  threads?: number
  /** Only this instruction set will do. Default: the environment variable BITGEN_TARGET, else the best that works. */
  target?: Isa
  /** Whether variants are timed against each other, at most 20 ms once a process. Default true; else the first serves. */
  trial?: boolean
  /** Takes every module that is instantiated, before its answers are checked; what it does at once goes on meanwhile. */
  onInstance?: (kernels: Kernels) => void
  /** Takes a line on what was chosen, and one on each module or variant that failed. */
  log?: (line: string) => void
}

/** A module of one function of type () -> v128, from the instructions of its body. */
function probe(...body: number[]): Uint8Array<ArrayBuffer> {
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0]
  return new Uint8Array([...head, 10, body.length + 4, 1, body.length + 2, 0, ...body, 0x0b])
}

/** i32.const 0, i8x16.splat. */
const ZEROS = [0x41, 0, 0xfd, 0x0f]

/** What an engine must validate before a module is fetched at all. */
const PROBES: Record<Isa, Uint8Array<ArrayBuffer> | undefined> = {
  scalar: undefined,
  simd128: probe(...ZEROS),
  // i16x8.relaxed_dot_i8x16_i7x16_s
  relaxed: probe(...ZEROS, ...ZEROS, 0xfd, 0x92, 0x02),
}

/** The kernels of a source, checked; throws the reason why they do not serve here. */
async function attempt(source: KernelSource, options: KernelOptions): Promise<Kernels> {
  const { families, trial = true, onInstance, log } = options
  if (!isKnownTo(source.isa)) throw new Error('the engine has no such instructions')
  const code = await source.load()
  const { isa } = code.manifest
  requireThat(isa === source.isa, 'manifest', `must be of ${source.isa}`, isa)
  const kernels = await onThreads(code, options)
  onInstance?.(kernels)
  const wrong = checkAnswers(kernels, families)
  if (wrong !== undefined) throw new Error(wrong)
  for (const [name, reason] of kernels.struckOut) log?.(`kernels: not ${name}: ${reason}`)
  if (trial) chooseVariants(kernels, families)
  return kernels
}

/** The instance with as many threads as are asked for, or with one. */
async function onThreads({ wasm, manifest }: KernelCode, options: KernelOptions): Promise<Kernels> {
  const { threads = 1, maxMemory, log } = options
  if (threads > 1) {
    try {
      const kernels = await instantiateShared(wasm, manifest, threads, maxMemory)
      log?.(`threads: ${threads}`)
      return kernels
    } catch (error) {
      log?.(`threads: 1, not ${threads}: ${errorText(error)}`)
    }
  }
  return instantiate(await WebAssembly.compile(wasm), manifest, maxMemory)
}

/**
 * The one instruction set that will do: as given, else as the environment variable BITGEN_TARGET says, if any. Throws a
 * RangeError where it is none.
 */
export function forcedTarget(given?: Isa): Isa | undefined {
  // `|| undefined`: an empty variable is an unset one.
  const target = given ?? (typeof process === 'undefined' ? undefined : process.env?.BITGEN_TARGET || undefined)
  const known = target === undefined || (ISAS as readonly string[]).includes(target)
  requireThat(known, 'target', `must be one of ${ISAS.join(', ')}`, target)
  return target as Isa | undefined
}

/** The modules that may serve, the richest first. */
function wantedIsas(target: Isa | undefined): Isa[] {
  return [...ISAS].reverse().filter((isa) => target === undefined || isa === target)
}

function isKnownTo(isa: Isa): boolean {
  const needs = PROBES[isa]
  return needs === undefined || WebAssembly.validate(needs)
}

/**
 * Loads the best module that works. Throws what forcedTarget throws, a RangeError where the number of threads is none,
 * and a KernelError that names every reason where none works, or the forced one does not.
 */
export async function loadKernels(options: KernelOptions): Promise<Kernels> {
  const { sources, threads = 1, log } = options
  requireThat(Number.isInteger(threads) && threads >= 1, 'threads', 'must be a whole number from 1', threads)
  const target = forcedTarget(options.target)
  const failed: string[] = []
  for (const isa of wantedIsas(target)) {
    const source = sources.find((one) => one.isa === isa)
    try {
      if (!source) throw new Error('there is no module')
      const kernels = await attempt(source, options)
      log?.(`kernels: ${isa}`)
      return kernels
    } catch (error) {
      failed.push(`${isa}: ${errorText(error)}`)
      log?.(`kernels: not ${failed.at(-1)}`)
    }
  }
  throw new KernelError(`loadKernels: ${target ?? 'one module'} must work on this engine, got ${failed.join('; ')}`)
}

/** Options of kernels that are on their way. */
export interface KernelsAhead extends KernelOptions {
  ahead?: Promise<Kernels>
}

/**
 * The same options, with kernels for one thread that are loaded, checked and chosen while a model is on its way, all
 * families of them; not where several threads are asked for, whose memory they share. Throws what forcedTarget throws.
 */
export function loadAhead(options: KernelOptions): KernelsAhead {
  forcedTarget(options.target)
  if ((options.threads ?? 1) > 1) return options
  const ahead = loadKernels(options)
  // Its failure is told where it is awaited, if it is.
  ahead.catch(() => undefined)
  return { ...options, ahead }
}
