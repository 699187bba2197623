/**
 * A plan for smaller symbols than it was lowered for: the same calls on a smaller arena. Needs no graph, so it also
 * serves the plans of a model file. Lifetimes are those of the calls, as in runtime/verify.ts.
 */
import { isInArena, type Plan, type PlanBuffer } from '../abi.ts'
import { elementBytes } from '../base/dtype.ts'
import { requireThat } from '../base/errors.ts'
import { size, type Symbols } from '../base/shape.ts'
import { assignOffsets, type Lifetime } from './memory.ts'

/**
 * The plan with `most` as the largest values of those of its symbols that are named there. Throws a RangeError where
 * one is below 1 or above what the plan was lowered for.
 */
export function narrow(plan: Plan, most: Symbols): Plan {
  const symbols = { ...plan.symbols }
  for (const [symbol, old] of Object.entries(symbols)) {
    const value = most[symbol] ?? old
    const fits = Number.isInteger(value) && value >= 1 && value <= old
    requireThat(fits, `plan ${plan.name}`, `${symbol} must be a whole number from 1 to ${old}`, value)
    symbols[symbol] = value
  }
  const buffers = plan.buffers.map((buffer) => (isInArena(buffer) ? resized(buffer, symbols) : buffer))
  const arena = buffers.flatMap((buffer, i) => (isInArena(buffer) ? [i] : []))
  const { offsets } = assignOffsets(arena.map((i) => lifetime(plan, i, buffers[i].bytes)))
  arena.forEach((i, k) => (buffers[i] = { ...buffers[i], offset: offsets[k] }))
  return { ...plan, symbols, buffers }
}

/** Packed weights are never in the arena, so that elements have whole bytes. */
function resized(buffer: PlanBuffer, symbols: Symbols): PlanBuffer {
  const { dtype, shape, name } = buffer
  requireThat(dtype !== 't2', name ?? 'scratch', 'must not be packed')
  return { ...buffer, bytes: size(shape, symbols) * elementBytes(dtype) }
}

/** From the first to the last call with the address of buffer `i`; inputs from the start, outputs to the end. */
function lifetime({ buffers, calls, inputs, outputs }: Plan, i: number, bytes: number): Lifetime {
  const touching = calls.flatMap(({ a }, call) =>
    a.some((arg) => typeof arg === 'object' && arg.at === i) ? [call] : [],
  )
  const { name } = buffers[i]
  const from = name !== undefined && inputs.includes(name) ? 0 : Math.min(...touching, calls.length)
  const to = name !== undefined && outputs.includes(name) ? calls.length : Math.max(...touching, 0)
  return { bytes, from, to }
}
