/**
 * Int8 matrices of a model file stay as they are stored where kernels can read them so: at export, calls on the f32
 * weight become calls on its codes and scales, to the same bits. A quarter of the memory.
 */
import type { Arg, Call, Plan, PlanBuffer } from '../abi.ts'
import type { DType } from '../base/dtype.ts'
import { scaleName } from '../io/model-file.ts'
import type { Tensor } from '../io/safetensors.ts'

/** Weights as they are stored, by name. */
type Stored = ReadonlyMap<string, Tensor>

/** Which argument of a family may be codes, and the family that takes them there, with their scales behind. */
const READERS: Record<string, { argument: number; family: string }> = {
  embedding__f32: { argument: 0, family: 'embedding__i8' },
  matmul_nt__f32: { argument: 1, family: 'matmul_nt__f32_i8' },
}

/** Whether argument `i` of a call may be codes. */
function takesCodes({ k }: Call, arg: Arg, i: number): boolean {
  return READERS[k]?.argument === i && typeof arg === 'object' && !arg.plus
}

/** The weight that an argument is the address of. */
function weightOf({ buffers }: Plan, arg: Arg): string | undefined {
  if (typeof arg !== 'object') return undefined
  const buffer = buffers[arg.at]
  return buffer?.segment === 'weight' && buffer.dtype === 'f32' ? buffer.name : undefined
}

/** Names of the weights that are stored as codes and that every call on them, in every plan, takes as such. */
function keptAsCodes(plans: readonly Plan[], tensors: Stored): Set<string> {
  const kept = new Set<string>()
  for (const [name, { dtype, shape }] of tensors) {
    const scales = tensors.get(scaleName(name))
    if (dtype === 'I8' && shape.length === 2 && scales?.dtype === 'F32' && scales.data.length === shape[0])
      kept.add(name)
  }
  for (const plan of plans) {
    for (const name of plan.outputs) kept.delete(name)
    const weights = new Map<number, string>()
    plan.buffers.forEach(({ name = '', segment, dtype, bytes }, i) => {
      if (!kept.has(name)) return
      const { shape } = tensors.get(name)!
      // A weight of another size is left to the check of sizes.
      if (bytes !== 4 * shape[0] * shape[1]) kept.delete(name)
      else if (segment === 'weight' && dtype === 'f32') weights.set(i, name)
    })
    for (const call of plan.calls) {
      call.a.forEach((arg, i) => {
        if (typeof arg !== 'object') return
        const name = weights.get(arg.at)
        if (name !== undefined && !takesCodes(call, arg, i)) kept.delete(name)
      })
    }
  }
  return kept
}

/** Plans on f32 weights as plans on int8 ones where they are stored so: buffers of codes and of scales. */
export function int8Plans(plans: readonly Plan[], tensors: Stored): Plan[] {
  const kept = keptAsCodes(plans, tensors)
  return plans.map((plan) => {
    const buffers: PlanBuffer[] = plan.buffers.map((buffer) => {
      if (buffer.segment !== 'weight' || !kept.has(buffer.name!)) return buffer
      const shape = tensors.get(buffer.name!)!.shape
      return { ...buffer, dtype: 'i8' as DType, shape, bytes: shape[0] * shape[1] }
    })
    const scalesOf = new Map<string, number>()
    for (const { segment, name } of plan.buffers) {
      if (segment !== 'weight' || !kept.has(name!)) continue
      const rows = tensors.get(name!)!.shape[0]
      scalesOf.set(name!, buffers.length)
      buffers.push({ name: scaleName(name!), segment, dtype: 'f32', shape: [rows], bytes: 4 * rows, offset: 0 })
    }
    const calls = plan.calls.map((call): Call => {
      const reader = READERS[call.k]
      const scales = reader && scalesOf.get(weightOf(plan, call.a[reader.argument]) ?? '')
      if (scales === undefined) return call
      const behind = reader.argument + 1
      return { k: reader.family, a: [...call.a.slice(0, behind), { at: scales }, ...call.a.slice(behind)] }
    })
    return { ...plan, buffers, calls }
  })
}
