/**
 * What the multipliers of this machine give when nothing touches memory: twelve independent chains, each fed by its
 * own result so that no compiler can move work out of the loop, and enough of them to hide every latency. Kernels are
 * held against these, measured in the same run.
 */
import type { Isa } from '../src/abi.ts'
import { compile } from '../codegen/compile.ts'
import { each } from '../codegen/text.ts'
import { secondsPerCall, type Effort } from './timing.ts'

const CHAINS = 12
const ROUNDS = 20000

interface Peak {
  name: string
  isa: Isa
  /** Multiply-accumulates of one step of one chain. */
  macs: number
  /** One step: the new value of chain `p` with the loop-invariant operand `w`. */
  step: (p: string) => string
}

const PEAKS: Peak[] = [
  { name: 'f32 mul+add', isa: 'scalar', macs: 1, step: (p) => `${p} + ${p} * w` },
  { name: 'i32 mul+add', isa: 'scalar', macs: 1, step: (p) => `${p} + ${p} * w` },
  { name: 'f32x4 mul+add', isa: 'simd128', macs: 4, step: (p) => `f32x4.add(${p}, f32x4.mul(${p}, w))` },
  { name: 'i32x4.dot_i16x8+add', isa: 'simd128', macs: 8, step: (p) => `i32x4.add(${p}, i32x4.dot_i16x8_s(${p}, w))` },
  { name: 'f32x4 madd', isa: 'relaxed', macs: 4, step: (p) => `f32x4.relaxed_madd(${p}, w, ${p})` },
  {
    name: 'i16x8.relaxed_dot+add',
    isa: 'relaxed',
    macs: 16,
    step: (p) => `i16x8.add(${p}, i16x8.relaxed_dot_i8x16_i7x16_s(${p}, w))`,
  },
]

function source({ name, isa, step }: Peak): string {
  const type = isa === 'scalar' ? name.slice(0, 3) : 'v128'
  return `
const W = memory.data(16, 16)
const OUT = memory.data(${16 * CHAINS}, 16)
export function heapBase(): usize { return __heap_base }
export function peak(n: i32): void {
  const w = load<${type}>(W)
  ${each(CHAINS, (i) => `let p${i} = load<${type}>(OUT + ${16 * i})`, '  ')}
  for (; n > 0; n--) {
    ${each(CHAINS, (i) => `p${i} = ${step(`p${i}`)}`, '    ')}
  }
  ${each(CHAINS, (i) => `store<${type}>(OUT + ${16 * i}, p${i})`, '  ')}
}`
}

/** GMAC/s of every peak of an instruction set, best so far; `measure` tries again and keeps the best. */
export interface Peaks {
  best: Map<string, number>
  measure(name: string, effort: Effort): number
}

/** Compiles and measures the peaks of an instruction set; a richer one includes those of the plainer vectors. */
export async function measurePeaks(isa: Isa, effort: Effort): Promise<Peaks> {
  const best = new Map<string, number>()
  const runs = new Map<string, () => void>()
  const measure = (name: string, how: Effort): number => {
    const { macs } = PEAKS.find((peak) => peak.name === name)!
    const rate = (ROUNDS * CHAINS * macs) / secondsPerCall(runs.get(name)!, how) / 1e9
    best.set(name, Math.max(rate, best.get(name) ?? 0))
    return best.get(name)!
  }
  for (const peak of PEAKS.filter((one) => one.isa === isa || (isa === 'relaxed' && one.isa === 'simd128'))) {
    const { wasm } = await compile(peak.isa, new Map([['entry.ts', source(peak)]]))
    const { instance } = await WebAssembly.instantiate(wasm, {})
    const run = instance.exports.peak as (n: number) => void
    runs.set(peak.name, () => run(ROUNDS))
    measure(peak.name, effort)
  }
  return { best, measure }
}
