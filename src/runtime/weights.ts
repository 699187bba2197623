/**
 * The weights of a model file as its plans want them, and whether the tables that ids lead into have a row for each.
 */
import type { Arg, Plan, PlanBuffer } from '../abi.ts'
import { viewBytes, type DType, type TensorData } from '../base/dtype.ts'
import { message, requireThat } from '../base/errors.ts'
import { KEPT, scaleName, type ModelFile } from '../io/model-file.ts'
import type { SafetensorsDtype } from '../io/safetensors.ts'
import { decodeHalf } from '../quant/half.ts'
import { decodeRows } from '../quant/rows.ts'
import { Executor } from './execute.ts'
import type { Kernels } from './kernels.ts'

/** As what a file stores the codes of weights. */
const CODES: Partial<Record<DType, SafetensorsDtype>> = { t2: 'U8', i8: 'I8' }

/** Ids are not checked by kernels: the table, first operand of the call that takes them, must have a row for each. */
export function requireTable({ plans }: ModelFile, rows: number): void {
  for (const { name, buffers, calls } of plans) {
    const ids = buffers.findIndex((buffer) => buffer.name === 'ids')
    if (ids < 0) continue
    const isIds = (arg: Arg) => typeof arg === 'object' && arg.at === ids
    const [table] = calls.find(({ a }) => a.some(isIds))?.a ?? []
    const got = typeof table === 'object' ? buffers[table.at]?.shape[0] : undefined
    requireThat(got === rows, `model file: plan ${name}`, `the table of ids must have ${rows} rows`, got ?? null)
  }
}

/** A weight as its plan wants it: codes as they are, everything else in f32. */
export function storedWeight({ tensors }: ModelFile, name: string, wanted: DType): TensorData {
  const tensor = tensors.get(name)
  if (tensor === undefined || name === KEPT) throw new RangeError(message('model file', `must hold the weight ${name}`))
  const { dtype, data, shape } = tensor
  const refused = (must: string) => new RangeError(message(`model file: ${name}`, must, dtype))
  if (wanted !== 'f32') {
    if (CODES[wanted] !== dtype) throw refused(`must be ${CODES[wanted] ?? 'no weight'}, as it is ${wanted}`)
    return data as TensorData
  }
  if (dtype === 'F32') return data as TensorData
  if (dtype === 'F16') return decodeHalf(data as Uint16Array)
  const scales = tensors.get(scaleName(name))
  const fits = dtype === 'I8' && shape.length === 2 && scales?.dtype === 'F32'
  if (!fits) throw refused('must be F32, F16, or I8 [N, K] with scales')
  return decodeRows({ codes: data as Int8Array, scales: scales.data as Float32Array }, shape[0], shape[1])
}

/** The weights of plans, each as the first plan has it. They must lie within the limit of memory, all of them. */
function weightsOf(plans: readonly Plan[], kernels: Kernels): Map<string, PlanBuffer> {
  const weights = new Map<string, PlanBuffer>()
  let needed = 0
  for (const { buffers } of plans) {
    for (let i = 0; i < buffers.length; i++) {
      const name = buffers[i].name!
      if (buffers[i].segment !== 'weight' || weights.has(name)) continue
      weights.set(name, buffers[i])
      needed += buffers[i].bytes
    }
  }
  kernels.requireWithin(needed)
  return weights
}

/** Every weight of the plans as they want it: hundreds at every start, which make no text if all is well. */
function storedWeights(file: ModelFile, kernels: Kernels): [name: string, data: TensorData][] {
  return [...weightsOf(file.plans, kernels)].map(([name, { dtype, bytes }]) => {
    const stored = storedWeight(file, name, dtype)
    const elements = bytes / viewBytes(dtype)
    if (stored.length !== elements) {
      throw new RangeError(message(`model file: ${name}`, `must have ${elements} elements`, stored.length))
    }
    return [name, stored]
  })
}

/**
 * The plans of a file on kernels, with its weights: those of a file in their memory stay where they are if they are
 * stored as they are wanted, others are written behind it.
 */
export function executorOf(file: ModelFile, kernels: Kernels): Executor {
  const weights = storedWeights(file, kernels)
  // Asked before memory grows, which takes every view of it.
  const { buffer } = kernels.memory
  const placed = new Map<string, number>()
  for (const [name, data] of weights) if (data.buffer === buffer) placed.set(name, data.byteOffset)
  const executor = new Executor(kernels, file.plans, placed)
  for (const [name, data] of weights) if (!placed.has(name)) executor.tensor(name).set(data)
  return executor
}
