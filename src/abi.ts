/**
 * The contract between codegen and runtime: how ternary weights are packed, how kernels describe themselves,
 * and the plan, which is plain JSON. Lowered by plan/, carried in model files, executed by runtime/.
 */
import type { DType } from './base/dtype.ts'
import type { Dim } from './base/shape.ts'

/** Instruction sets a kernel module is generated for, from the plainest to the richest. */
export const ISAS = ['scalar', 'simd128', 'relaxed'] as const
export type Isa = (typeof ISAS)[number]

/**
 * Packed ternary weights of W [N,K]: blocks of 8 outputs x 8 inputs, 16 bytes each, block (n/8, k/8) at
 * ((n/8) * ceil(K/8) + k/8) * 16. In a block the 16-bit lane j belongs to output n+j; its low byte holds the even
 * inputs k, k+2, k+4, k+6 at bits 0, 2, 4, 6 and its high byte the odd ones. A code is w+1; padding is w = 0.
 */
export const BLOCK = 8
export const BLOCK_BYTES = 16

/** Activation codes of a row lie at a stride of K rounded up to this many bytes; the rest of the row is zero. */
export const CODE_ALIGN = 16

/** matmul_tn packs blocks of this many rows into panels of 8 columns, which wait in the second-level cache. */
export const TN_ROWS = 128
/** Rows from panel to panel: two apart, for at 4 KiB all panels would share one set of the first-level cache. */
export const TN_PANEL_ROWS = TN_ROWS + 2

/** The other f32 products make their panels in groups of this many bytes, or one by one where one alone is larger. */
export const GROUP_BYTES = 131072

export function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to
}

/** Buffers of a plan begin at multiples of this many bytes: a cache line. */
export const BUFFER_ALIGN = 64

/** Bytes of a packed ternary [N,K]. */
export function packedBytes(N: number, K: number): number {
  return Math.ceil(N / BLOCK) * Math.ceil(K / BLOCK) * BLOCK_BYTES
}

/** The export that times the multiplication of a kernel, where its family has a choice: (turns: i32) -> (). */
export function trialName(kernel: string): string {
  return `trial_${kernel}`
}

/** What one generated kernel is; build/<isa>/manifest.json holds one entry per export. */
export interface KernelEntry {
  /** The export: `family__tile__isa[_trick]`. */
  name: string
  /** What a plan calls it by, e.g. `matmul_nt__f32`. */
  family: string
  /** Parameter names and WebAssembly types, in order; `...At` is a byte offset, `scratch...At` memory of one thread. */
  params: [name: string, type: 'i32' | 'f32'][]
  /** Same bits on every instruction set. Variants that are not may only serve plans that allow it. */
  deterministic: boolean
  /** Splits its outputs between threads; others run on the first thread alone. */
  parallel: boolean
}

/**
 * What memory holds before a known answer: `count` draws between `low` and `high` (whole numbers, both ends included,
 * for integer types; bytes of four codes for t2), or the values given.
 */
export type Fill =
  [at: number, dtype: DType, count: number, low: number, high: number] | [at: number, dtype: DType, values: number[]]

/**
 * Calls whose results are known: they show at load that an engine runs the kernels right. Offsets, and the arguments
 * named `...At`, count from the first byte that plans may use; 0 is an absent input.
 */
export interface KnownAnswer {
  bytes: number
  fills: Fill[]
  calls: [family: string, ...args: number[]][]
  outputs: [at: number, dtype: DType, count: number][]
  /** FNV-1a of the 32-bit words of the outputs, as the deterministic kernels leave them on every instruction set. */
  digest: number
}

export interface Manifest {
  isa: Isa
  /** First byte that plans may use: kernels keep their constants below. */
  heapBase: number
  /** sha256 of kernels.wasm, hex. */
  sha256: string
  kernels: KernelEntry[]
  /** Every family of `kernels` is called by at least one. */
  answers: KnownAnswer[]
}

/** Where a buffer lives. `weight`: read-only, shared by plans. `state`: kept between runs. `io`: written or read by the host. */
export type Segment = 'weight' | 'state' | 'io' | 'scratch'

/** Inputs, outputs and scratch share the arena; weights and states have places of their own. */
export function isInArena({ segment }: { segment: Segment }): boolean {
  return segment === 'io' || segment === 'scratch'
}

export interface PlanBuffer {
  /** Weights, state and io have names; scratch has none. */
  name?: string
  segment: Segment
  dtype: DType
  shape: Dim[]
  /** Bytes at the largest value of every symbol. */
  bytes: number
  /** Byte offset within the segment. */
  offset: number
}

/** A literal, a dimension evaluated at every run, or the address of a buffer, or of a place `plus` bytes into it. */
export type Arg = number | string | { at: number; plus?: number }

export interface Call {
  /** Kernel family. */
  k: string
  a: Arg[]
}

export interface Plan {
  name: string
  /** False where kernels may differ in the last bits between instruction sets (training). */
  deterministic: boolean
  /** Largest value of every symbol. */
  symbols: Record<string, number>
  buffers: PlanBuffer[]
  calls: Call[]
  /** Names of the io buffers that the host writes before, and reads after a run. */
  inputs: string[]
  outputs: string[]
}
