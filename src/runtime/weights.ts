/**
 * The weights of a model file as its plans want them, and whether the tables that ids lead into have a row for each.
 */
import { roundUp, type Arg } from '../abi.ts'
import type { TensorData } from '../base/dtype.ts'
import { requireThat } from '../base/errors.ts'
import { KEPT, scaleName, type ModelFile } from '../io/model-file.ts'
import { decodeHalf } from '../quant/half.ts'
import type { Tensor } from '../io/safetensors.ts'
import { decodeRows, type RowCodes } from '../quant/rows.ts'
import type { Executor } from './execute.ts'

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

/** A weight as its plan wants it: packed codes as they are, everything else in f32. */
export function storedWeight(file: ModelFile, name: string, packed: boolean): TensorData {
  const tensor = tensorOf(file, name)
  const { dtype, data } = tensor
  if (packed || dtype === 'F32') return data as TensorData
  if (dtype === 'F16') return decodeHalf(data as Uint16Array)
  return decodeRows(...rowsOf(file, name, tensor))
}

/**
 * Writes every weight of the plans into their memory. Int8 matrices, most of the numbers, are decoded there by a kernel:
 * JavaScript takes ten times as long at a cold start.
 */
export function layOutWeights(file: ModelFile, executor: Executor): void {
  for (const { name, dtype } of executor.names('weight')) {
    const weight = executor.tensor(name!)
    const tensor = tensorOf(file, name!)
    const { length } = weight
    requireThat(
      tensor.data.length === length,
      `model file: ${name}`,
      `must have ${length} elements`,
      tensor.data.length,
    )
    if (tensor.dtype === 'I8') decodeInMemory(executor, weight.byteOffset, rowsOf(file, name!, tensor))
    else weight.set(storedWeight(file, name!, dtype === 't2') as Float32Array)
  }
}

/** Families that layOutWeights calls. */
export const WEIGHT_DECODING = ['decode_rows__i8']

function decodeInMemory(executor: Executor, weightAt: number, [{ codes, scales }, N, K]: RowsOf): void {
  const scalesAt = roundUp(codes.length, 16)
  const at = executor.workspace(scalesAt + 4 * N)
  executor.kernels.view('i8', at, codes.length).set(codes)
  executor.kernels.view('f32', at + scalesAt, N).set(scales)
  executor.call('decode_rows__i8', at, at + scalesAt, weightAt, N, K)
}

function tensorOf({ tensors }: ModelFile, name: string): Tensor {
  const tensor = tensors.get(name)
  requireThat(tensor !== undefined && name !== KEPT, 'model file', `must hold the weight ${name}`)
  return tensor
}

type RowsOf = [rows: RowCodes, N: number, K: number]

function rowsOf({ tensors }: ModelFile, name: string, { dtype, data, shape }: Tensor): RowsOf {
  const scales = tensors.get(scaleName(name))
  const fits = dtype === 'I8' && shape.length === 2 && scales?.dtype === 'F32' && scales.data.length === shape[0]
  requireThat(fits, `model file: ${name}`, 'must be F32, F16, or I8 [N, K] with scales', dtype)
  return [{ codes: data as Int8Array, scales: scales!.data as Float32Array }, shape[0], shape[1]]
}
