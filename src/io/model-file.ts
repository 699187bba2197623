/**
 * The model file: one sealed safetensors file with the plans that run it, free of any instruction set, and its weights
 * in canonical form: ternary codes packed 2 bits each, matrices int8 per row with f32 scales, tables f16, the rest f32.
 */
import type { Arg, Call, Plan, PlanBuffer, Segment } from '../abi.ts'
import { errorText, message, requireThat } from '../base/errors.ts'
import { readSafetensors, type Tensor } from './safetensors.ts'

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
}

/** Names of tensors that are no weights of a plan. */
export const KEPT = 'vocabulary.kept'
/** Name of the row scales of an int8 matrix. */
export const scaleName = (name: string) => `${name}.scale`

const SEGMENTS: readonly Segment[] = ['weight', 'state', 'io', 'scratch']

/** Reads and checks a file; its digest is checked by verifyData. Throws a RangeError that names what does not hold. */
export function readModelFile(bytes: Uint8Array): ModelFile {
  const { tensors, metadata } = readSafetensors(bytes, { strict: true })
  requireThat(metadata.kind === 'model', 'model file', 'must be of kind model', metadata.kind)
  const manifest = parse<ModelManifest>('manifest', metadata.manifest)
  const plans = parse<Plan[]>('plans', metadata.plans)
  plans.forEach(checkPlan)
  return { manifest, plans, tensors, kept: tensors.get(KEPT)?.data as Int32Array | undefined }
}

/** Metadata of a model file, for sealSafetensors. */
export function modelMetadata(manifest: ModelManifest, plans: readonly Plan[]): Record<string, string> {
  return { kind: 'model', manifest: JSON.stringify(manifest), plans: JSON.stringify(plans) }
}

function parse<T>(name: string, text: string | undefined): T {
  try {
    return JSON.parse(text ?? '') as T
  } catch (error) {
    throw new RangeError(message('model file', `${name} must be JSON`, errorText(error)))
  }
}

/** Every address that a plan can form lies in a buffer, and every buffer in the memory that it asks for. */
function checkPlan(plan: Plan): void {
  const where = `plan ${plan.name}`
  const isCount = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0
  const isBuffer = (b: PlanBuffer) =>
    SEGMENTS.includes(b.segment) && isCount(b.bytes) && isCount(b.offset) && isCount(b.bytes + b.offset)
  const isArg = (arg: Arg) => {
    if (typeof arg === 'number') return Number.isFinite(arg)
    return typeof arg === 'string' ? true : isCount(arg?.at) && arg.at < plan.buffers.length
  }
  const isCall = (call: Call) => typeof call?.k === 'string' && Array.isArray(call.a) && call.a.every(isArg)
  requireThat(Array.isArray(plan.buffers) && plan.buffers.every(isBuffer), where, 'must have sound buffers')
  requireThat(Array.isArray(plan.calls) && plan.calls.every(isCall), where, 'must have sound calls')
  requireThat(Object.values(plan.symbols ?? {}).every(isCount), where, 'must have whole symbols', plan.symbols)
}
