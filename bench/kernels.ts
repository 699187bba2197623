/**
 * Every product at the shapes of the model, in GMAC/s beside the register-only peak of the same run; kernels bound by
 * memory in GB/s beside copying. One thread, hot caches. Runs in Node (main.ts) and in a page alike.
 */
import { packedBytes, roundUp, TN_PANEL_ROWS, type Isa, type KernelEntry } from '../src/abi.ts'
import { elementBytes } from '../src/base/dtype.ts'
import type { Kernels } from '../src/runtime/kernels.ts'
import { COPY, type Peaks } from './peaks.ts'
import { AGAIN, secondsPerCall, type Effort, type Summary } from './timing.ts'

type Sizes = [M: number, K: number, N: number]
/** Places `count` elements in memory, filled with harmless values, and returns the address. */
type Place = (dtype: 'f32' | 'i32' | 'i8' | 'u8', count: number) => number

export interface Subject {
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

/** What one kernel did at one shape. */
export interface KernelRow {
  name: string
  target: Isa
  shape: { M: number; K: number; N: number }
  /** GMAC/s or GB/s of the best sample: other work on the machine only ever adds. */
  rate: number
  unit: 'GMAC/s' | 'GB/s'
  /** What it is held against, and what that gave at best in the same run, in the same unit. */
  peak: { name: string; rate: number }
  /** Seconds a call. */
  seconds: Summary
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

const DOT_PEAKS: Record<Isa, string> = {
  scalar: 'i32 mul+add',
  simd128: 'i32x4.dot_i16x8+add',
  relaxed: 'i16x8.relaxed_dot+add',
}

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
    peak: (isa, { name }) => (name.endsWith('_dot') ? 'i32x4.relaxed_dot_add' : DOT_PEAKS[isa]),
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

/** Name of the peak that a family is held against: float products against that of f32. */
export function peakOf(isa: Isa, entry: KernelEntry): string {
  return (SUBJECTS.find(({ family }) => family === entry.family)?.peak ?? f32Peak)(isa, entry)
}

/** Output, scratch (at least `panel` f32, panels padded to 8 columns) and sizes. */
function tail(place: Place, output: number, panel: number, ...sizes: Sizes): number[] {
  return [place('f32', output), place('f32', panel + 8 * Math.max(...sizes)), ...sizes]
}

function placer(kernels: Kernels): Place {
  let next = roundUp(kernels.manifest.heapBase, 64)
  return (dtype, count) => {
    const at = next
    next += roundUp(count * elementBytes(dtype), 64)
    kernels.reserve(next)
    const data = kernels.view(dtype, at, count)
    // Bytes of packed codes are any of 0b00, 0b01, 0b10 four times over: 0x96, 0x19, 0x42.
    const scale = dtype === 'f32' ? 1 / 30 : 1
    for (let i = 0; i < count; i++)
      data[i] = dtype === 'u8' ? [0x96, 0x19, 0x42][i % 3] : (((i * 37) % 61) - 30) * scale
    return at
  }
}

/** Rows that measureKernels gives for a module. */
export function countRows({ manifest }: Kernels): number {
  const entries = (family: string) => manifest.kernels.filter((entry) => entry.family === family).length
  return SUBJECTS.reduce((sum, { family, sizes }) => sum + sizes.length * entries(family), 0)
}

/** Measures one kernel at one shape, and looks at its peak again. */
export function measure(
  kernels: Kernels,
  { args, bytes, macs, peak }: Subject,
  entry: KernelEntry,
  sizes: Sizes,
  peaks: Peaks,
  effort: Effort,
): KernelRow {
  const target = kernels.manifest.isa
  const given = args(placer(kernels), ...sizes)
  const kernel = kernels.function(entry)
  const seconds = secondsPerCall(() => kernel(...given), effort)
  const [M, K, N] = sizes
  const name = peak?.(target, entry) ?? COPY
  return {
    name: entry.name,
    target,
    shape: { M, K, N },
    rate: (bytes?.(...sizes) ?? macs?.(...sizes) ?? M * K * N) / seconds.min / 1e9,
    unit: bytes ? 'GB/s' : 'GMAC/s',
    peak: { name, rate: peaks.measure(name, AGAIN) },
    seconds,
  }
}

/** Measures all subjects on the kernels of one instruction set; `onRow` hears of each at once. */
export function measureKernels(
  kernels: Kernels,
  peaks: Peaks,
  effort: Effort,
  onRow: (row: KernelRow) => void,
): KernelRow[] {
  const rows: KernelRow[] = []
  for (const subject of SUBJECTS) {
    for (const entry of kernels.manifest.kernels.filter(({ family }) => family === subject.family)) {
      for (const sizes of subject.sizes) {
        const row = measure(kernels, subject, entry, sizes, peaks, effort)
        rows.push(row)
        onRow(row)
      }
    }
  }
  // The peaks that a later look found better hold for all.
  return rows.map((row) => ({ ...row, peak: { ...row.peak, rate: peaks.best.get(row.peak.name)! } }))
}

/** A row as a line of a table. */
export function kernelLine({ name, shape: { M, K, N }, rate, unit, peak, seconds }: KernelRow): string {
  const sizes = N === 0 ? `M${M} K${K}` : `M${M} K${K} N${N}`
  const share = `${Math.round((100 * rate) / peak.rate)} % of ${peak.name}`
  const spread = [seconds.median, seconds.p95].map((s) => `${((seconds.min / s) * rate).toFixed(1)}`).join(' / ')
  return `  ${name.padEnd(40)} ${sizes.padEnd(18)} ${rate.toFixed(1).padStart(7)} / ${spread} ${unit}  ${share}`
}

/** The products as `--json` prints them: their peak is the register-only figure of the target in the same run. */
export function productsOf(rows: readonly KernelRow[]) {
  return rows
    .filter(({ name }) => name.startsWith('matmul_'))
    .map(({ name, target, shape, rate, peak }) => ({ name, target, shape, gmacs: rate, peak: peak.rate }))
}
