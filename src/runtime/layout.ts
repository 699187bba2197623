/**
 * Where everything lies in the one memory of a model: kernels' constants, weights, state, then the arena of inputs,
 * outputs and scratch, which all plans share. Pure: the executor lays memory out by it at load, codegen when it bakes
 * plans into a standalone module.
 */
import { BUFFER_ALIGN, isInArena, roundUp, type Plan, type PlanBuffer } from '../abi.ts'
import { message } from '../base/errors.ts'

/**
 * Bytes by kind of memory: `weights` with the file that they were read with, if they stay in it; `arena` is what inputs,
 * outputs and scratch share, and scratch of further threads.
 */
export interface MemoryUse {
  kernels: number
  weights: number
  state: number
  arena: number
  total: number
}

export interface MemoryLayout {
  memoryUse: MemoryUse
  /** Weights and states by name, with their addresses. */
  kept: ReadonlyMap<string, { buffer: PlanBuffer; at: number }>
  /** Address of every buffer of a plan. */
  addressesOf: (plan: Plan) => number[]
}

/**
 * The layout for `plans` from `base` on, behind the constants of kernels; weights that are `placed`, by name, stay at
 * their addresses. Throws where plans want one weight in different sizes.
 */
export function layOut(base: number, plans: readonly Plan[], placed?: ReadonlyMap<string, number>): MemoryLayout {
  const kept = new Map<string, { buffer: PlanBuffer; at: number }>()
  const start = roundUp(base, BUFFER_ALIGN)
  let next = start
  let weights = 0
  const keep = (buffer: PlanBuffer) => {
    const name = buffer.name!
    const old = kept.get(name)
    if (!old) {
      const at = placed?.get(name)
      kept.set(name, { buffer, at: at ?? next })
      if (at === undefined) next += roundUp(buffer.bytes, BUFFER_ALIGN)
    } else if (old.buffer.bytes !== buffer.bytes) {
      throw new RangeError(message(name, `must have ${old.buffer.bytes} bytes in every plan`, buffer.bytes))
    }
  }
  // With functions, not steps through lists: an interpreter makes an object of each, and this runs at every start.
  const all = plans.flatMap(({ buffers }) => buffers)
  for (const segment of ['weight', 'state'] as const) {
    all.forEach((buffer) => buffer.segment === segment && keep(buffer))
    if (segment === 'weight') weights = next - start
  }
  const arenaAt = next
  let arena = 0
  all.forEach((b) => isInArena(b) && (arena = Math.max(arena, b.offset + roundUp(b.bytes, BUFFER_ALIGN))))
  const memoryUse = { kernels: start, weights, state: arenaAt - start - weights, arena, total: arenaAt + arena }
  const addressesOf = ({ buffers }: Plan) =>
    buffers.map((b) => (isInArena(b) ? arenaAt + b.offset : kept.get(b.name!)!.at))
  return { memoryUse, kept, addressesOf }
}
