/**
 * The manifest of a model file: what is said of the model, checked as it comes out of JSON, and the entry points that
 * its plans must have to keep what it says.
 */
import type { Plan, PlanBuffer } from '../abi.ts'
import type { DType } from '../base/dtype.ts'
import { requireThat } from '../base/errors.ts'
import type { Dim } from '../base/shape.ts'
import { isCount, isNumber, isRecord, isSize, isText } from './json.ts'

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

/** What an entry point takes or gives; of its shape `image` and `channels` stand for what the manifest says. */
type Port = [plan: string, name: string, dtype: DType, shape: Dim[]]

const PORTS: readonly Port[] = [
  ['encodeImage', 'pixels', 'f32', ['B', 3, 'image', 'image']],
  ['encodeImage', 'image_features', 'f32', ['B', 'channels']],
  ['encodeText', 'ids', 'i32', ['B', 'T']],
  ['encodeText', 'lengths', 'i32', ['B']],
  ['encodeText', 'embeddings', 'f32', ['B', 'T', 'channels']],
  ['encodeText', 'text_prefix', 'f32', ['B', 'T', 'channels']],
  ['encodeText', 'text_features', 'f32', ['B', 'channels']],
  ['fuse', 'text_prefix', 'f32', ['B', 'T', 'channels']],
  ['fuse', 'lengths', 'i32', ['B']],
  ['fuse', 'embeddings', 'f32', ['B', 'T', 'channels']],
  ['fuse', 'match_logits', 'f32', ['B', 2]],
  ['fuse', 'code', 'f32', ['B', 'channels']],
  ...['startDecoding', 'decodeNext'].flatMap((plan): Port[] => [
    [plan, 'ids', 'i32', ['B', 1]],
    [plan, 'position', 'i32', [1]],
    [plan, 'read', 'f32', ['B', 'channels']],
    [plan, 'visible', 'i32', ['B']],
  ]),
]

/** Entry points that a model may lack: one that was trained for retrieval alone cannot match or caption. */
const OPTIONAL = ['fuse', 'startDecoding', 'decodeNext']

function isScope(value: unknown): boolean {
  return isRecord(value) && [value.image, value.text, value.code].every(isNumber)
}

/** What must hold of each key of the manifest. */
const MANIFEST: Record<keyof ModelManifest, (value: unknown) => boolean> = {
  name: isText,
  config: isRecord,
  image: isSize,
  maxLength: isSize,
  prefix: isText,
  channels: isSize,
  temperature: isNumber,
  logTemperature: isNumber,
  scope: (value) => value === null || isScope(value),
  selfTest: (value) => value === null || isText(value),
  parameters: (value) => isRecord(value) && Object.values(value).every(isCount),
  training: (value) => value === null || isRecord(value),
  data: (value) => value === null || (isRecord(value) && isText(value.sha256)),
  results: isRecord,
}

/** Throws a RangeError that names the first key of the manifest whose value is of another kind. */
export function requireManifest(value: unknown): asserts value is ModelManifest {
  requireThat(isRecord(value), 'model file', 'manifest must be an object', value)
  for (const [key, holds] of Object.entries(MANIFEST)) {
    requireThat(holds(value[key]), `model file: manifest.${key}`, 'must be of its kind', value[key] ?? null)
  }
}

type Named = ReadonlyMap<string, PlanBuffer>

/** What a plan takes and gives, by name; of two that share one, which the check of the plan refuses, the first. */
function portsOf({ buffers }: Plan): Named {
  const named = new Map<string, PlanBuffer>()
  for (let i = 0; i < buffers.length; i++) {
    const { segment, name } = buffers[i]
    if (segment === 'io' && name !== undefined && !named.has(name)) named.set(name, buffers[i])
  }
  return named
}

/** Throws a RangeError unless every entry point is there, and takes and gives what the manifest says. */
export function requireEntryPoints(plans: readonly Plan[], manifest: ModelManifest): void {
  const named = new Map(plans.map((plan) => [plan, portsOf(plan)]))
  for (const [planName, name, dtype, dims] of PORTS) {
    const where = `model file: plan ${planName}`
    const plan = plans.find((one) => one.name === planName)
    if (!plan && OPTIONAL.includes(planName)) continue
    requireThat(plan !== undefined, where, 'must be there')
    const buffer = named.get(plan)!.get(name)
    const shape = `${dims.map((dim) => (dim === 'image' || dim === 'channels' ? manifest[dim] : dim))}`
    const fits = buffer?.dtype === dtype && `${buffer.shape}` === shape
    requireThat(fits, where, `${name} must be ${dtype} [${shape}]`, buffer?.shape ?? null)
    if (buffer.shape.includes('T')) {
      const { maxLength } = manifest
      requireThat(plan.symbols.T === maxLength, where, `must take texts of ${maxLength} ids`, plan.symbols.T ?? null)
    }
  }
  requireLinks(named)
  const names = plans.map(({ name }) => name)
  requireThat(new Set(names).size === names.length, 'model file', 'must have every plan once', names)
}

/** What one plan takes and another gives by the same name has one shape: the host carries it over as it is. */
function requireLinks(plans: ReadonlyMap<Plan, Named>): void {
  const given = new Map<string, PlanBuffer>()
  const ports = (named: Named, names: readonly string[]) => names.flatMap((name) => named.get(name) ?? [])
  for (const [{ outputs }, named] of plans) {
    for (const buffer of ports(named, outputs)) given.set(buffer.name!, buffer)
  }
  for (const [plan, named] of plans) {
    for (const { name, dtype, shape } of ports(named, plan.inputs)) {
      const source = given.get(name!)
      const fits = !source || (source.dtype === dtype && `${source.shape}` === `${shape}`)
      requireThat(fits, `model file: plan ${plan.name}`, `${name} must be ${source?.dtype} [${source?.shape}]`, shape)
    }
  }
}
