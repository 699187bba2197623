/**
 * Plans and the manifest as they come out of a model file's JSON: values of the kinds that the rest of the runtime
 * relies on, and entry points of the sizes that the manifest states. Whether a plan is sound is runtime/verify.ts.
 */
import type { Arg, Call, Plan, PlanBuffer, Segment } from '../abi.ts'
import type { DType } from '../base/dtype.ts'
import { requireThat } from '../base/errors.ts'
import type { Dim } from '../base/shape.ts'
import type { ModelManifest } from './model-file.ts'

const SEGMENTS: readonly Segment[] = ['weight', 'state', 'io', 'scratch']
const DTYPES: readonly DType[] = ['f32', 'f64', 'i32', 'i8', 'u8', 't2']

/** What an entry point takes or gives. */
type Port = [plan: string, name: string, dtype: DType, shape: (manifest: ModelManifest) => Dim[]]

const PORTS: readonly Port[] = [
  ['encodeImage', 'pixels', 'f32', ({ image }) => ['B', 3, image, image]],
  ['encodeImage', 'image_features', 'f32', ({ channels }) => ['B', channels]],
  ['encodeText', 'ids', 'i32', () => ['B', 'T']],
  ['encodeText', 'lengths', 'i32', () => ['B']],
  ['encodeText', 'embeddings', 'f32', ({ channels }) => ['B', 'T', channels]],
  ['encodeText', 'text_prefix', 'f32', ({ channels }) => ['B', 'T', channels]],
  ['encodeText', 'text_features', 'f32', ({ channels }) => ['B', channels]],
  ['fuse', 'text_prefix', 'f32', ({ channels }) => ['B', 'T', channels]],
  ['fuse', 'lengths', 'i32', () => ['B']],
  ['fuse', 'embeddings', 'f32', ({ channels }) => ['B', 'T', channels]],
  ['fuse', 'match_logits', 'f32', () => ['B', 2]],
  ['fuse', 'code', 'f32', ({ channels }) => ['B', channels]],
  ...['startDecoding', 'decodeNext'].flatMap((plan): Port[] => [
    [plan, 'ids', 'i32', () => ['B', 1]],
    [plan, 'position', 'i32', () => [1]],
    [plan, 'read', 'f32', ({ channels }) => ['B', channels]],
    [plan, 'visible', 'i32', () => ['B']],
  ]),
]

/** Entry points that a model may lack: one that was trained for retrieval alone cannot match or caption. */
const OPTIONAL = ['fuse', 'startDecoding', 'decodeNext']

const isText = (value: unknown): value is string => typeof value === 'string'
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isSize = (value: unknown) => isCount(value) && value > 0
const isNumber = (value: unknown) => Number.isFinite(value)
const isList = <T>(value: unknown, holds: (one: T) => boolean) => Array.isArray(value) && value.every(holds)

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

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

/** Throws a RangeError that names the plan, and what of it is of another kind. */
export function requirePlan(value: unknown): asserts value is Plan {
  requireThat(isRecord(value) && isText(value.name), 'model file', 'every plan must have a name', value)
  const plan = value as Partial<Plan>
  const where = `model file: plan ${plan.name}`
  requireThat(plan.deterministic === true, where, 'must be deterministic', plan.deterministic)
  const symbols = isRecord(plan.symbols) && Object.values(plan.symbols).every(isSize)
  requireThat(symbols, where, 'symbols must have whole numbers above 0', plan.symbols)
  requireThat(isList(plan.buffers, isBuffer), where, 'must have buffers of the known kinds')
  requireThat(isList(plan.calls, isCall), where, 'must have calls of a kernel with arguments')
  requireThat(isList(plan.inputs, isText) && isList(plan.outputs, isText), where, 'must name its inputs and outputs')
}

function isBuffer(buffer: PlanBuffer): boolean {
  if (!isRecord(buffer)) return false
  const { name, segment, dtype, shape, bytes, offset } = buffer
  const known = (name === undefined || isText(name)) && SEGMENTS.includes(segment) && DTYPES.includes(dtype)
  return known && isList(shape, isDim) && isCount(bytes) && isCount(offset) && isCount(bytes + offset)
}

function isDim(dim: Dim): boolean {
  return isText(dim) || isCount(dim)
}

function isArg(arg: Arg): boolean {
  if (typeof arg !== 'object') return isText(arg) || isNumber(arg)
  return arg !== null && isCount(arg.at) && isCount(arg.plus ?? 0)
}

function isCall(call: Call): boolean {
  return isRecord(call) && isText(call.k) && isList(call.a, isArg)
}

type Named = ReadonlyMap<string, PlanBuffer>

/** Buffers by name; of two that share one, which the check of the plan refuses, the first. */
function namedBuffers({ buffers }: Plan): Named {
  const named = new Map<string, PlanBuffer>()
  for (const buffer of buffers) {
    if (buffer.name !== undefined && !named.has(buffer.name)) named.set(buffer.name, buffer)
  }
  return named
}

/** Throws a RangeError unless every entry point is there, and takes and gives what the manifest says. */
export function requireEntryPoints(plans: readonly Plan[], manifest: ModelManifest): void {
  const named = new Map(plans.map((plan) => [plan, namedBuffers(plan)]))
  for (const [planName, name, dtype, shapeOf] of PORTS) {
    const where = `model file: plan ${planName}`
    const plan = plans.find((one) => one.name === planName)
    if (!plan && OPTIONAL.includes(planName)) continue
    requireThat(plan !== undefined, where, 'must be there')
    const buffer = named.get(plan)!.get(name)
    const fits = buffer?.segment === 'io' && buffer.dtype === dtype && `${buffer.shape}` === `${shapeOf(manifest)}`
    requireThat(fits, where, `${name} must be ${dtype} [${shapeOf(manifest)}]`, buffer?.shape ?? null)
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
  const ports = (named: Named, names: readonly string[]) =>
    names.flatMap((name) => named.get(name) ?? []).filter(({ segment }) => segment === 'io')
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
