/**
 * The list of kernels: it feeds generator, manifest, known answers, tests and benches. A hand-written kernel is one
 * file in assembly/kernels/ and one name here; its exports are its families. Generated ones are what targets/ ask for.
 */
import type { Isa } from '../src/abi.ts'
import { requireThat } from '../src/base/errors.ts'
import { relaxed } from '../targets/relaxed.ts'
import { scalar } from '../targets/scalar.ts'
import { simd128 } from '../targets/simd128.ts'
import type { Target, Variant } from '../targets/target.ts'
import { attention } from './templates/attention.ts'
import { matmulF32 } from './templates/matmul_f32.ts'
import {
  matmulTernaryI16,
  matmulTernaryI32,
  matmulTernaryPlain,
  matmulTernaryScalar,
} from './templates/matmul_ternary.ts'

/** Files of assembly/kernels/, each for every instruction set. */
export const HAND_WRITTEN = [
  'adamw',
  'contrast',
  'embedding',
  'gelu',
  'group_norm',
  'im2col',
  'matching',
  'memory',
  'norms',
  'patches',
  'pointwise',
  'positions',
  'quantize',
  'queue',
  'resize_image',
  'round_rows',
  'rows',
  'ternarize',
  'vocabulary',
]

/** Families that plans of a model file never call: modules for inference are without them (test/registry.test.ts). */
export const TRAINING_FAMILIES: ReadonlySet<string> = new Set([
  'accumulate__f32',
  'adamw__f32',
  'add_rows_grad__f32',
  'add_scaled__f32',
  'attention_grad__f32',
  'clamp__f32',
  'clip_factor__f32',
  'contrast_loss__f32',
  'contrast_loss_grad__f32',
  'cross_entropy__f32',
  'cross_entropy_grad__f32',
  'dequantize_rows__i8',
  'dot__f32',
  'draw_negatives__f32',
  'embedding_grad__f32',
  'enqueue__f32',
  'fill__f32',
  'gelu_grad__f32',
  'grid_pool_grad__f32',
  'group_norm_grad__f32',
  'im2col_grad__f32',
  'l2_normalize_grad__f32',
  'layer_norm_grad__f32',
  'mark_touched__u8',
  'matching_pairs__i32',
  'matmul_nn__f32',
  'matmul_nn__t2',
  'matmul_tn__f32',
  'mean_rows_grad__f32',
  'memory_episodes__f32',
  'memory_episodes_grad__f32',
  'mul_channels_grad__f32',
  'relu_grad__f32',
  'resize_positions__f32',
  'resize_positions_grad__f32',
  'retrieval_accuracy__f32',
  'rms_norm_grad__f32',
  'round_rows__f32',
  'scale_by__f32',
  'scale_rows__f32',
  'slice_grad__f32',
  'sum_first__f32',
  'sum_rows__f32',
  'sum_squares__f32',
  'tanh_grad__f32',
  'ternarize__f32',
  'unpack_ternary__t2',
  'vocabulary_loss__f32',
  'vocabulary_loss_grad__f32',
  'vocabulary_scan__f32',
  'zero__f32',
])

export interface TemplateRow {
  /** File name of the generated source. */
  file: string
  isa: Isa
  /** Part of the export between family and instruction set, and behind it. */
  tile: string
  trick: string
  deterministic: boolean
  source: (name: (family: string) => string) => string
}

/** A source by its exports and the rows of its register tile. */
type Template = (name: (family: string) => string, rows: number) => string

/** Sources that targets name, each in the form of one instruction set. */
const SOURCES: Record<string, Template> = {
  attention: (name, rows) => attention(true, false, name, rows),
  attention_madd: (name, rows) => attention(true, true, name, rows),
  attention_scalar: (name) => attention(false, false, name, 1),
  matmul_f32: (name, rows) => matmulF32(true, false, name, rows),
  matmul_f32_madd: (name, rows) => matmulF32(true, true, name, rows),
  matmul_f32_scalar: (name) => matmulF32(false, false, name, 1),
  matmul_ternary_i16: matmulTernaryI16,
  matmul_ternary_i32: matmulTernaryI32,
  matmul_ternary_plain: matmulTernaryPlain,
  matmul_ternary_scalar: matmulTernaryScalar,
}

export const TARGETS: readonly Target[] = [scalar, simd128, relaxed]

/** The row of a variant; throws a RangeError where it names no template. */
export function templateRow(isa: Isa, { template, tile = '', trick = '', deterministic = true }: Variant): TemplateRow {
  const source = SOURCES[template]
  requireThat(source !== undefined, `target ${isa}`, `must name one of ${Object.keys(SOURCES)}`, template)
  const rows = Number(/^m(\d+)/.exec(tile)?.[1] ?? 1)
  return { file: template, isa, tile, trick, deterministic, source: (name) => source(name, rows) }
}

/** Of one family in one module, the first row that a plan allows serves it, unless a trial at load finds a faster one. */
export const TEMPLATES: TemplateRow[] = TARGETS.flatMap(({ isa, variants }) =>
  variants.map((variant) => templateRow(isa, variant)),
)
