/**
 * What a graph costs before anyone runs it: multiply-accumulates, bytes moved and parameters, and the memory of its
 * plan. Counts, not times: bytes are those of operands and results, each once, so reuse in caches is not seen.
 */
import { BUFFER_ALIGN, roundUp, type Plan, type Segment } from '../abi.ts'
import { evaluate, size, type Symbols } from '../base/shape.ts'
import type { Graph, Value } from '../graph/graph.ts'
import { bytesOf } from './lower.ts'

/** Cost of the nodes of one op. */
export interface OpCost {
  nodes: number
  macs: number
  /** Bytes of inputs and outputs. */
  bytes: number
}

export interface Estimate {
  /** By op name, the most expensive first. */
  ops: Map<string, OpCost>
  macs: number
  bytes: number
  /** Numbers in parameters that some node or output uses. */
  parameters: number
}

/** Cost of one run of `graph`; `symbols` has a value for each of its symbols. */
export function estimate(graph: Graph, symbols: Symbols = {}): Estimate {
  const ops = new Map<string, OpCost>()
  const used = new Set<Value>(graph.outputs.values())
  for (const node of graph.nodes) {
    const operands = new Set([...node.inputs, ...node.outputs].filter((value) => value !== null))
    for (const value of operands) used.add(value)
    const cost = ops.get(node.op.name) ?? { nodes: 0, macs: 0, bytes: 0 }
    const isView = node.op.alias !== undefined && !node.op.updates
    ops.set(node.op.name, {
      nodes: cost.nodes + 1,
      macs: cost.macs + (node.op.macs ? evaluate(node.op.macs(node), symbols) : 0),
      bytes: cost.bytes + (isView ? 0 : sum([...operands].map((value) => bytesOf(value, symbols)))),
    })
  }
  const parameters = [...used].filter(({ role }) => role === 'parameter')
  return {
    ops: new Map([...ops].sort(([, a], [, b]) => b.macs - a.macs || b.bytes - a.bytes)),
    macs: sum([...ops.values()].map(({ macs }) => macs)),
    bytes: sum([...ops.values()].map(({ bytes }) => bytes)),
    parameters: sum(parameters.map(({ shape }) => size(shape, symbols))),
  }
}

export interface PlanMemory {
  weights: number
  state: number
  /** What inputs, outputs and scratch share: the peak of everything that lives at one time, as laid out. */
  arena: number
  total: number
}

/** Bytes that a plan needs beside the kernels' constants, as the executor lays them out. */
export function planMemory(plan: Plan): PlanMemory {
  const kept = (segment: Segment) =>
    sum(plan.buffers.map((buffer) => (buffer.segment === segment ? roundUp(buffer.bytes, BUFFER_ALIGN) : 0)))
  const ends = plan.buffers.map(({ segment, offset, bytes }) =>
    segment === 'io' || segment === 'scratch' ? offset + roundUp(bytes, BUFFER_ALIGN) : 0,
  )
  const [weights, state, arena] = [kept('weight'), kept('state'), Math.max(0, ...ends)]
  return { weights, state, arena, total: weights + state + arena }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0)
}
