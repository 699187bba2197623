/**
 * `npm run bench -- kernels [--quick] [--isa X] [--json FILE]`: every product at the shapes of the model, in GMAC/s
 * and as a share of the register-only peak of the same run; kernels bound by memory in GB/s. One thread, hot caches.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { ISAS, packedBytes, roundUp, TN_PANEL_ROWS, type Isa, type KernelEntry } from '../src/abi.ts'
import { elementBytes } from '../src/base/dtype.ts'
import { requireThat } from '../src/base/errors.ts'
import { KERNELS } from '../src/kernels.ts'
import { loadKernels } from '../src/runtime/load.ts'
import type { Kernels } from '../src/runtime/kernels.ts'
import { describe, machine } from './machine.ts'
import { measurePeaks, type Peaks } from './peaks.ts'
import { FULL, QUICK, secondsPerCall, type Effort } from './timing.ts'

type Sizes = [M: number, K: number, N: number]
/** Places `count` elements in memory, filled with harmless values, and returns the address. */
type Place = (dtype: 'f32' | 'i32' | 'i8' | 'u8', count: number) => number

interface Subject {
  family: string
  sizes: Sizes[]
  /** Arguments; the kernel is measured as the call that a plan would make. */
  args: (place: Place, ...sizes: Sizes) => number[]
  /** Multiply-accumulates; default: M * K * N. */
  macs?: (...sizes: Sizes) => number
  /** Peak that the kernel is held against, by instruction set and determinism; absent: bound by memory. */
  peak?: (isa: Isa, entry: KernelEntry) => string
  /** Bytes read and written, where there is no peak. */
  bytes?: (...sizes: Sizes) => number
}

interface Row {
  kernel: string
  isa: Isa
  M: number
  K: number
  N: number
  gmacs?: number
  peak?: string
  share?: number
  gbytes?: number
}

const LINEAR: Sizes[] = [
  [17, 128, 256],
  [60, 128, 128],
  [60, 256, 128],
  [240, 768, 768],
  [1, 768, 3072],
]
const FLOAT: Sizes[] = [
  [60, 256, 128],
  [256, 432, 96],
  [2048, 128, 128],
]

/** Tokens, channels and heads in place of M, K and N. */
const ATTENTION: Sizes[] = [
  [17, 128, 4],
  [257, 128, 4],
]

const f32Peak = (isa: Isa, { deterministic }: KernelEntry) =>
  isa === 'scalar' ? 'f32 mul+add' : deterministic ? 'f32x4 mul+add' : 'f32x4 madd'

export const SUBJECTS: Subject[] = [
  {
    family: 'matmul_nt__i8_t2',
    sizes: LINEAR,
    args(place, M, K, N) {
      const stride = roundUp(K, 16)
      const operands = [place('i8', M * stride), place('f32', M), place('i32', M), place('u8', packedBytes(N, K))]
      return [...operands, place('f32', 1), 0, place('f32', M * N), place('u8', 16 * stride + 64), M, K, N]
    },
    peak: (isa) => ({ scalar: 'i32 mul+add', simd128: 'i32x4.dot_i16x8+add', relaxed: 'i16x8.relaxed_dot+add' })[isa],
  },
  {
    family: 'matmul_nt__f32',
    sizes: [...FLOAT, [1, 128, 4836]],
    args: (place, M, K, N) => [place('f32', M * K), place('f32', N * K), 0, ...tail(place, M * N, N * K, M, K, N)],
    peak: f32Peak,
  },
  {
    family: 'matmul_nt__f32_i8',
    sizes: [
      [60, 256, 128],
      [1, 128, 4836],
      [1, 128, 50257],
    ],
    args(place, M, K, N) {
      const operands = [place('f32', M * K), place('i8', N * K), place('f32', N), 0]
      return [...operands, ...tail(place, M * N, N * K, M, K, N)]
    },
    peak: f32Peak,
  },
  {
    family: 'attention__f32',
    sizes: ATTENTION,
    args(place, T, C, heads) {
      const operands = [place('f32', T * C), place('f32', T * C), place('f32', T * C), 0, place('f32', T * C)]
      return [...operands, place('f32', T * T), place('f32', (T * C) / heads), 1, T, T, C, heads, 0]
    },
    macs: (T, C) => 2 * T * T * C,
    peak: f32Peak,
  },
  {
    family: 'attention_grad__f32',
    sizes: ATTENTION,
    args(place, T, C, heads) {
      const operands = Array.from({ length: 4 }, () => place('f32', T * C))
      const gradients = Array.from({ length: 3 }, () => place('f32', T * C))
      const scratch = [place('f32', T * T), place('f32', T * T), place('f32', (T * C) / heads)]
      return [...operands, 0, ...gradients, ...scratch, 1, T, T, C, heads, 0]
    },
    macs: (T, C) => 5 * T * T * C,
    peak: f32Peak,
  },
  {
    family: 'matmul_nn__f32',
    sizes: FLOAT,
    args: (place, M, K, N) => [place('f32', M * N), place('f32', N * K), ...tail(place, M * K, N * K, M, K, N)],
    peak: f32Peak,
  },
  {
    family: 'matmul_tn__f32',
    sizes: FLOAT,
    args: (place, M, K, N) => [
      place('f32', M * N),
      place('f32', M * K),
      ...tail(place, N * K, TN_PANEL_ROWS * K, M, K, N),
    ],
    peak: f32Peak,
  },
  {
    family: 'matmul_nn__t2',
    sizes: FLOAT,
    args(place, M, K, N) {
      const operands = [place('f32', M * N), place('u8', packedBytes(N, K)), place('f32', 1)]
      return [...operands, ...tail(place, M * K, N * K, M, K, N)]
    },
    peak: f32Peak,
  },
  {
    family: 'quantize_rows__f32',
    sizes: [[2048, 128, 0]],
    args(place, M, K) {
      const outputs = [place('i8', M * roundUp(K, 16)), place('f32', M), place('i32', M)]
      return [place('f32', M * K), ...outputs, M, K]
    },
    bytes: (M, K) => 5 * M * K,
  },
  {
    family: 'gelu__f32',
    sizes: [[2048, 128, 0]],
    args: (place, M, K) => [place('f32', M * K), place('f32', M * K), M * K],
    bytes: (M, K) => 8 * M * K,
  },
  {
    family: 'add__f32',
    sizes: [[2048, 128, 0]],
    args: (place, M, K) => [place('f32', M * K), place('f32', M * K), place('f32', M * K), M * K],
    bytes: (M, K) => 12 * M * K,
  },
]

/** Output, scratch (at least `panel` f32, panels padded to 8 columns) and sizes. */
function tail(place: Place, output: number, panel: number, ...sizes: Sizes): number[] {
  return [place('f32', output), place('f32', panel + 8 * Math.max(...sizes)), ...sizes]
}

/** A short look at the peak beside every row: other work on the machine comes and goes. */
const AGAIN: Effort = { warmMs: 20, sampleMs: 20, samples: 3 }

function placer(kernels: Kernels): Place {
  let next = roundUp(kernels.manifest.heapBase, 64)
  return (dtype, count) => {
    const at = next
    next += roundUp(count * elementBytes(dtype), 64)
    kernels.reserve(next)
    const data = kernels.view(dtype, at, count)
    // Bytes of packed codes are any of 0b00, 0b01, 0b10 four times over: 0x96, 0x19, 0x42.
    for (let i = 0; i < count; i++) data[i] = dtype === 'u8' ? [0x96, 0x19, 0x42][i % 3] : ((i * 37) % 61) - 30
    return at
  }
}

export function measure(
  kernels: Kernels,
  subject: Subject,
  entry: KernelEntry,
  sizes: Sizes,
  peaks: Peaks,
  effort: Effort,
): Row {
  const args = subject.args(placer(kernels), ...sizes)
  const kernel = kernels.function(entry)
  const seconds = secondsPerCall(() => kernel(...args), effort)
  const [M, K, N] = sizes
  const row: Row = { kernel: entry.name, isa: kernels.manifest.isa, M, K, N }
  if (subject.bytes) return { ...row, gbytes: subject.bytes(...sizes) / seconds / 1e9 }
  const peak = subject.peak!(row.isa, entry)
  const gmacs = (subject.macs?.(...sizes) ?? M * K * N) / seconds / 1e9
  return { ...row, gmacs, peak, share: gmacs / peaks.measure(peak, AGAIN) }
}

function line({ kernel, M, K, N, gmacs, peak, share, gbytes }: Row): string {
  const sizes = N === 0 ? `M${M} K${K}` : `M${M} K${K} N${N}`
  const rate = gmacs === undefined ? `${gbytes!.toFixed(1)} GB/s` : `${gmacs.toFixed(1)} GMAC/s`
  const part = share === undefined ? '' : `  ${Math.round(100 * share)} % of ${peak}`
  return `  ${kernel.padEnd(40)} ${sizes.padEnd(18)} ${rate.padStart(14)}${part}`
}

export async function benchKernels(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { quick: { type: 'boolean', default: false }, isa: { type: 'string' }, json: { type: 'string' } },
  })
  const { quick, isa: only, json } = values
  if (only !== undefined)
    requireThat((ISAS as readonly string[]).includes(only), '--isa', `must be one of ${ISAS}`, only)
  const effort = quick ? QUICK : FULL
  const on = machine()
  console.log(describe(on))
  const peaks: Record<string, Record<string, number>> = {}
  const rows: Row[] = []
  for (const isa of only === undefined ? ISAS : [only as Isa]) {
    let kernels: Kernels
    try {
      kernels = await loadKernels({ sources: KERNELS, target: isa })
    } catch (error) {
      console.log(`${isa}: left out. ${String(error)}`)
      continue
    }
    const reached = await measurePeaks(isa, effort)
    console.log(`${isa}: ${Array.from(reached.best, ([name, rate]) => `${name} ${rate.toFixed(1)} GMAC/s`).join(', ')}`)
    for (const subject of SUBJECTS) {
      for (const entry of kernels.manifest.kernels.filter(({ family }) => family === subject.family)) {
        for (const sizes of subject.sizes) {
          const row = measure(kernels, subject, entry, sizes, reached, effort)
          rows.push(row)
          console.log(line(row))
        }
      }
    }
    peaks[isa] = Object.fromEntries(reached.best)
  }
  if (json === undefined) return
  mkdirSync(dirname(json), { recursive: true })
  writeFileSync(json, `${JSON.stringify({ machine: on, peaks, rows }, null, 1)}\n`)
}
