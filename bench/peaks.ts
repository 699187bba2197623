/**
 * What this machine gives, for kernels to be held against in the same run. Multipliers when nothing touches memory:
 * twelve independent chains, each fed by its own result so that no compiler can move work out of the loop, and enough of
 * them to hide every latency. And copying within memory, in GB/s read and written. No ceiling for products of ternary
 * weights: they order the same instructions better, and plain ones take two outputs from one multiplication
 * (codegen/templates/ternary_panels.ts), so they pass 100 %.
 */
import type { Isa } from '../src/abi.ts'
import { secondsPerCall, type Effort } from './timing.ts'

export const CHAINS = 12
const ROUNDS = 20000

export interface Peak {
  name: string
  /** The plainest instruction set that has it, and those that are held against it too. */
  isas: readonly Isa[]
  /** Multiply-accumulates of one step of one chain. */
  macs: number
  /** One step: the new value of chain `p` with the loop-invariant operand `w`, in AssemblyScript. */
  step: (p: string) => string
}

const VECTORS: readonly Isa[] = ['simd128', 'relaxed']

export const PEAKS: readonly Peak[] = [
  { name: 'f32 mul+add', isas: ['scalar'], macs: 1, step: (p) => `${p} + ${p} * w` },
  { name: 'i32 mul+add', isas: ['scalar'], macs: 1, step: (p) => `${p} + ${p} * w` },
  { name: 'f32x4 mul+add', isas: VECTORS, macs: 4, step: (p) => `f32x4.add(${p}, f32x4.mul(${p}, w))` },
  {
    name: 'i32x4.dot_i16x8+add',
    isas: VECTORS,
    macs: 8,
    step: (p) => `i32x4.add(${p}, i32x4.dot_i16x8_s(${p}, w))`,
  },
  { name: 'f32x4 madd', isas: ['relaxed'], macs: 4, step: (p) => `f32x4.relaxed_madd(${p}, w, ${p})` },
  {
    name: 'i16x8.relaxed_dot+add',
    isas: ['relaxed'],
    macs: 16,
    step: (p) => `i16x8.add(${p}, i16x8.relaxed_dot_i8x16_i7x16_s(${p}, w))`,
  },
  {
    name: 'i32x4.relaxed_dot_add',
    isas: ['relaxed'],
    macs: 16,
    step: (p) => `i32x4.relaxed_dot_i8x16_i7x16_add_s(${p}, w, ${p})`,
  },
]

/** The peak of kernels that are bound by memory, in GB/s. */
export const COPY = 'copy'
/** Copied at a time: as much as the kernels in question touch, which lies in the second or third cache. */
export const COPY_BYTES = 2 ** 20

/** Peaks of an instruction set, in the order of the exports `peak0`, `peak1`, ... of its module (peak-modules.ts). */
export function peaksOf(isa: Isa): Peak[] {
  return PEAKS.filter(({ isas }) => isas.includes(isa))
}

/** GMAC/s, or GB/s, of every peak of an instruction set, best so far; `measure` tries again and keeps the best. */
export interface Peaks {
  best: Map<string, number>
  measure(name: string, effort: Effort): number
}

/** Measures the peaks of an instruction set, from its module. */
export async function measurePeaksOf(isa: Isa, wasm: BufferSource, effort: Effort): Promise<Peaks> {
  const { instance } = await WebAssembly.instantiate(wasm, {})
  const exports = instance.exports as Record<string, (n: number) => void>
  const best = new Map<string, number>()
  const runs = new Map<string, { work: number; run: () => void }>([
    [COPY, { work: 2 * COPY_BYTES, run: () => exports.copy(COPY_BYTES) }],
  ])
  peaksOf(isa).forEach(({ name, macs }, i) => {
    runs.set(name, { work: ROUNDS * CHAINS * macs, run: () => exports[`peak${i}`](ROUNDS) })
  })
  const measure = (name: string, how: Effort): number => {
    const { work, run } = runs.get(name)!
    best.set(name, Math.max(work / secondsPerCall(run, how).min / 1e9, best.get(name) ?? 0))
    return best.get(name)!
  }
  for (const name of runs.keys()) measure(name, effort)
  return { best, measure }
}
