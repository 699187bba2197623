/**
 * The list of kernels: it feeds generator, manifest, known answers, tests and benches. A hand-written kernel is one
 * file in assembly/kernels/ and one name here; its exports are its families. Templates come as rows with a variant.
 */
import type { Isa } from '../src/abi.ts'
import { matmulF32 } from './templates/matmul_f32.ts'
import { matmulTernaryPlain, matmulTernaryRelaxed, matmulTernaryScalar } from './templates/matmul_ternary.ts'

/** Files of assembly/kernels/, each for every instruction set. */
export const HAND_WRITTEN = [
  'adamw',
  'attention',
  'contrast',
  'embedding',
  'gelu',
  'group_norm',
  'im2col',
  'norms',
  'patches',
  'pointwise',
  'positions',
  'quantize',
  'queue',
  'resize_image',
  'round_rows',
  'rows',
  'sum_columns',
  'ternarize',
]

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

/** Of one family in one module, the first row that a plan allows serves it. */
export const TEMPLATES: TemplateRow[] = [
  row('matmul_f32', 'scalar', '', '', true, (name) => matmulF32(false, false, name)),
  row('matmul_f32', 'simd128', 'm6n8', '', true, (name) => matmulF32(true, false, name)),
  row('matmul_f32_madd', 'relaxed', 'm6n8', 'madd', false, (name) => matmulF32(true, true, name)),
  row('matmul_f32', 'relaxed', 'm6n8', '', true, (name) => matmulF32(true, false, name)),
  row('matmul_ternary', 'scalar', '', '', true, matmulTernaryScalar),
  row('matmul_ternary', 'simd128', 'm4n8', '', true, matmulTernaryPlain),
  row('matmul_ternary', 'relaxed', 'm6n16', '', true, matmulTernaryRelaxed),
]

function row(
  file: string,
  isa: Isa,
  tile: string,
  trick: string,
  deterministic: boolean,
  source: TemplateRow['source'],
): TemplateRow {
  return { file, isa, tile, trick, deterministic, source }
}
