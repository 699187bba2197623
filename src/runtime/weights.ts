/**
 * The weights of a model file as its plans want them, and whether the tables that ids lead into have a row for each.
 */
import type { Arg } from '../abi.ts'
import type { DType, TensorData } from '../base/dtype.ts'
import { message, requireThat } from '../base/errors.ts'
import { KEPT, scaleName, type ModelFile } from '../io/model-file.ts'
import type { SafetensorsDtype } from '../io/safetensors.ts'
import { decodeHalf } from '../quant/half.ts'
import { decodeRows } from '../quant/rows.ts'
import type { Executor } from './execute.ts'

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

/** Writes every weight of the plans into their memory: hundreds at every start, which make no text if all is well. */
export function layOutWeights(file: ModelFile, executor: Executor): void {
  executor.names('weight').forEach(({ name, dtype }) => {
    const weight = executor.tensor(name!)
    const { length } = weight
    const stored = storedWeight(file, name!, dtype)
    if (stored.length !== length) {
      throw new RangeError(message(`model file: ${name}`, `must have ${length} elements`, stored.length))
    }
    weight.set(stored as Float32Array)
  })
}
