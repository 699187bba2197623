/**
 * Starting values of the vision tower from a published file: safetensors of the `Dinov2Model` of Hugging Face (DINOv2,
 * arXiv 2304.07193), whose names are ours without `vision.`. A `mask_token` and heads of other models are passed over.
 */
import { readFileSync } from 'node:fs'
import { attempt, requireThat } from '../base/errors.ts'
import { fixed } from '../base/shape.ts'
import type { Value } from '../graph/graph.ts'
import { readSafetensors, type Tensor } from '../io/safetensors.ts'
import { decodeHalf } from '../quant/half.ts'

/** What stands before the names of a file that holds more than the tower. */
const PREFIXES = ['', 'dinov2.', 'vision.']

/** The names of parameters begin so where they belong to the tower. */
export const TOWER = 'vision.'

/**
 * Values of the tower's parameters by name. Throws an Error that names the file where it cannot be read, and a
 * RangeError where it lacks a parameter or has it in another shape or type than F32 or F16.
 */
export function readTowerWeights(path: string, parameters: readonly Value[]): Map<string, Float32Array> {
  const { tensors } = attempt(path, 'must be a readable safetensors file', () => readSafetensors(readFileSync(path)))
  const wanted = parameters.filter(({ name }) => name!.startsWith(TOWER))
  return new Map(
    wanted.map(({ name, shape }) => {
      const own = name!.slice(TOWER.length)
      const tensor = PREFIXES.map((prefix) => tensors.get(prefix + own)).find((one) => one !== undefined)
      requireThat(tensor !== undefined, path, `must have the tensor ${own}`)
      const want = shape.map(fixed)
      requireThat(`${tensor.shape}` === `${want}`, `${path}: ${own}`, `must have shape [${want}]`, tensor.shape)
      return [name!, numbersOf(tensor, `${path}: ${own}`)]
    }),
  )
}

function numbersOf({ dtype, data }: Tensor, where: string): Float32Array {
  requireThat(dtype === 'F32' || dtype === 'F16', where, 'must be F32 or F16', dtype)
  return dtype === 'F32' ? (data as Float32Array) : decodeHalf(data as Uint16Array)
}
