/**
 * The model file: one sealed safetensors file with the plans that run it, free of any instruction set, and its weights
 * in canonical form: ternary codes packed 2 bits each, matrices int8 per row with f32 scales, tables f16, the rest f32.
 * Its checksum finds damage, not malice: whoever writes a file writes it too. Checks hold without it.
 */
import type { Plan } from '../abi.ts'
import { requireThat } from '../base/errors.ts'
import { parseJson } from './json.ts'
import { requireEntryPoints, requireManifest, type ModelManifest } from './model-manifest.ts'
import { plansOf, readPlanRows, writePlans, type PlanRows } from './plan-tables.ts'
import { readSafetensors, sealSafetensors, type Tensor } from './safetensors.ts'

export type { ModelManifest, Scope } from './model-manifest.ts'

export interface ModelFile {
  manifest: ModelManifest
  plans: Plan[]
  /** The same as they stand in the file. */
  rows: PlanRows
  /** Weights of the plans as they are stored; `name.scale` beside int8 matrices. */
  tensors: Map<string, Tensor>
  /** Ids of GPT-2 that have a row of their own; absent: all. */
  kept: Int32Array | undefined
  /** Prior mean of the memory, F32 [slots,C]; absent: the model was trained without one. */
  prior: Tensor | undefined
}

/** Names of tensors that are no weights of a plan, beside the plans: kept ids, prior mean of the memory [slots,C]. */
export const KEPT = 'vocabulary.kept'
export const PRIOR = 'memory.prior_mean'
/** Name of the row scales of an int8 matrix. */
export const scaleName = (name: string) => `${name}.scale`

/** Reads and checks a file; throws a RangeError that names what does not hold. */
export function readModelFile(bytes: Uint8Array): ModelFile {
  const { tensors, metadata } = readSafetensors(bytes, { strict: true })
  requireThat(metadata.kind === 'model', 'model file', 'must be of kind model', metadata.kind ?? null)
  const manifest = parseJson('model file', 'manifest must be JSON', metadata.manifest ?? '')
  requireManifest(manifest)
  const rows = readPlanRows(tensors)
  const plans = plansOf(rows)
  requireEntryPoints(plans, manifest)
  const kept = tensors.get(KEPT)
  requireThat(!kept || kept.dtype === 'I32', `model file: ${KEPT}`, 'must be I32', kept?.dtype)
  const prior = tensors.get(PRIOR)
  const isPrior = !prior || (prior.dtype === 'F32' && prior.shape.length === 2 && prior.shape[1] === manifest.channels)
  requireThat(isPrior, `model file: ${PRIOR}`, `must be F32 [slots,${manifest.channels}]`, prior?.shape)
  return { manifest, plans, rows, tensors, kept: kept?.data as Int32Array | undefined, prior }
}

/** The bytes of a file; `tensors` are all that plans, vocabulary and memory need. */
export function writeModelFile(
  manifest: ModelManifest,
  plans: readonly Plan[],
  tensors: ReadonlyMap<string, Tensor>,
): Uint8Array {
  return sealSafetensors(new Map([...tensors, ...writePlans(plans)]), {
    kind: 'model',
    manifest: JSON.stringify(manifest),
  })
}
