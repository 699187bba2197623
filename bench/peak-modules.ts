/** The module with the loops of peaks.ts for one instruction set: needs the compiler, so a page gets the bytes. */
import type { Isa } from '../src/abi.ts'
import { compile } from '../codegen/compile.ts'
import { each } from '../codegen/text.ts'
import { CHAINS, COPY_BYTES, measurePeaksOf, peaksOf, type Peak, type Peaks } from './peaks.ts'
import type { Effort } from './timing.ts'

/** Compiles and measures the peaks of an instruction set. */
export async function measurePeaks(isa: Isa, effort: Effort): Promise<Peaks> {
  return measurePeaksOf(isa, await compilePeaks(isa), effort)
}

export async function compilePeaks(isa: Isa): Promise<Uint8Array<ArrayBuffer>> {
  const { wasm } = await compile(isa, new Map([['entry.ts', source(isa)]]))
  return wasm
}

function source(isa: Isa): string {
  return `
const W = memory.data(16, 16)
const OUT = memory.data(${16 * CHAINS}, 16)
const SOURCE = memory.data(${COPY_BYTES}, 16)
const TARGET = memory.data(${COPY_BYTES}, 16)
export function heapBase(): usize { return __heap_base }
${peaksOf(isa).map(loop).join('')}
export function copy(bytes: i32): void {
  for (let i = 0; i < bytes; i += 16) {
    if (ASC_FEATURE_SIMD) v128.store(TARGET + i, v128.load(SOURCE + i))
    else {
      store<u64>(TARGET + i, load<u64>(SOURCE + i))
      store<u64>(TARGET + i, load<u64>(SOURCE + i, 8), 8)
    }
  }
}`
}

function loop({ name, macs, step }: Peak, index: number): string {
  const type = macs === 1 ? name.slice(0, 3) : 'v128'
  return `
export function peak${index}(n: i32): void {
  const w = load<${type}>(W)
  ${each(CHAINS, (i) => `let p${i} = load<${type}>(OUT + ${16 * i})`, '  ')}
  for (; n > 0; n--) {
    ${each(CHAINS, (i) => `p${i} = ${step(`p${i}`)}`, '    ')}
  }
  ${each(CHAINS, (i) => `store<${type}>(OUT + ${16 * i}, p${i})`, '  ')}
}`
}
