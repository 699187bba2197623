/**
 * The model file: one sealed safetensors file with the plans that run it, free of any instruction set, and its weights
 * in canonical form: ternary codes packed 2 bits each, matrices int8 per row with f32 scales, tables f16, the rest f32.
 * Digests find damage, not malice: whoever writes a file writes them too. Checks hold without them.
 */
import type { Plan } from '../abi.ts'
import { errorText, message, requireThat } from '../base/errors.ts'
import { sha256 } from './digest.ts'
import { requireEntryPoints, requireManifest, requirePlan } from './plan-json.ts'
import { readSafetensors, verifyData, type Tensor } from './safetensors.ts'

/** From which similarity on a query of each kind counts as something taught, and what a picture is compared with. */
export interface Scope {
  image: number
  text: number
  code: number
}

/** What is said of a model, as JSON in its file. */
export interface ModelManifest {
  name: string
  /** Sizes and switches, as model/config.ts has them. */
  config: Record<string, unknown>
  /** Side of the input image in pixels; longest text in tokens; put before every text. */
  image: number
  maxLength: number
  prefix: string
  channels: number
  temperature: number
  /** Its logarithm, which is what training continues from. */
  logTemperature: number
  /** Thresholds of recognition by the memory; null where it was not measured. */
  scope: Scope | null
  /** Digest of a fixed inference (runtime/self-test.ts) where the file was made; null where none was computed. */
  selfTest: string | null
  /** Parameters by part, and in all. */
  parameters: Record<string, number>
  /** How it was trained: configuration, seed, steps, time, machine, commit. */
  training: Record<string, unknown> | null
  /** Of the data manifest, and whose artwork it was trained on. */
  data: { sha256: string; attributions: unknown } | null
  /** Figures by set, as they were measured on this model. */
  results: Record<string, unknown>
}

export interface ModelFile {
  manifest: ModelManifest
  plans: Plan[]
  /** Weights of the plans as they are stored; `name.scale` beside int8 matrices. */
  tensors: Map<string, Tensor>
  /** Ids of GPT-2 that have a row of their own; absent: all. */
  kept: Int32Array | undefined
  /** Prior mean of the memory, F32 [slots,C]; absent: the model was trained without one. */
  prior: Tensor | undefined
  /** Digests that the file states: of its data, and of the JSON of manifest and plans. */
  digests: { sha256: string; textSha256: string }
}

/** Names of tensors that are no weights of a plan: kept ids, and the prior mean of the memory [slots,C]. */
export const KEPT = 'vocabulary.kept'
export const PRIOR = 'memory.prior_mean'
/** Name of the row scales of an int8 matrix. */
export const scaleName = (name: string) => `${name}.scale`

/** Reads and checks a file; its digests are left to openModelFile. Throws a RangeError that names what does not hold. */
export function readModelFile(bytes: Uint8Array): ModelFile {
  return parse(bytes).file
}

/**
 * Reads and checks a file; throws a RangeError that names what does not hold. `verify` then compares the digests:
 * false where the engine cannot compute them (pages without TLS), a RangeError where they differ.
 */
export function openModelFile(bytes: Uint8Array): { file: ModelFile; verify: () => Promise<boolean> } {
  const { file, text } = parse(bytes)
  return { file, verify: () => verifyDigests(bytes, text, file.digests) }
}

async function verifyDigests(bytes: Uint8Array, text: Uint8Array, digests: ModelFile['digests']): Promise<boolean> {
  const [digest, hasData] = await Promise.all([sha256(text), verifyData(bytes, digests)])
  if (!hasData || digest === undefined) return false
  const { textSha256: want } = digests
  requireThat(digest === want, 'model file', `sha256 of manifest and plans must be ${want}`, digest)
  return true
}

/** Metadata of a model file, for sealSafetensors. `sha256` gives 64 lower-case hex digits. */
export function modelMetadata(
  manifest: ModelManifest,
  plans: readonly Plan[],
  sha256: (data: Uint8Array) => string,
): Record<string, string> {
  const texts = { manifest: JSON.stringify(manifest), plans: JSON.stringify(plans) }
  return { kind: 'model', ...texts, textSha256: sha256(textOf(texts)) }
}

function parse(bytes: Uint8Array): { file: ModelFile; text: Uint8Array } {
  const { tensors, metadata } = readSafetensors(bytes, { strict: true })
  requireThat(metadata.kind === 'model', 'model file', 'must be of kind model', metadata.kind ?? null)
  const { sha256, textSha256 = '' } = metadata
  requireThat(textSha256 !== '', 'model file', 'must state the sha256 of manifest and plans')
  const manifest = fromJson('manifest', metadata.manifest)
  requireManifest(manifest)
  const plans = fromJson('plans', metadata.plans)
  requireThat(Array.isArray(plans), 'model file', 'plans must be a list', plans)
  for (const plan of plans) requirePlan(plan)
  requireEntryPoints(plans, manifest)
  const kept = tensors.get(KEPT)
  requireThat(!kept || kept.dtype === 'I32', `model file: ${KEPT}`, 'must be I32', kept?.dtype)
  const prior = tensors.get(PRIOR)
  const isPrior = !prior || (prior.dtype === 'F32' && prior.shape.length === 2 && prior.shape[1] === manifest.channels)
  requireThat(isPrior, `model file: ${PRIOR}`, `must be F32 [slots,${manifest.channels}]`, prior?.shape)
  const digests = { sha256, textSha256 }
  const file = { manifest, plans, tensors, kept: kept?.data as Int32Array | undefined, prior, digests }
  return { file, text: textOf(metadata) }
}

function fromJson(name: string, text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch (error) {
    throw new RangeError(message('model file', `${name} must be JSON`, errorText(error)))
  }
}

/** What textSha256 is the digest of. */
function textOf({ manifest, plans }: Record<string, string>): Uint8Array {
  return new TextEncoder().encode(`${manifest}\n${plans}`)
}
