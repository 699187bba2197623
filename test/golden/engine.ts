/**
 * What runs a graph for the golden comparison: the float64 interpreter, or its plan on a kernel module.
 */
import { verify } from '../../src/runtime/verify.ts'
import type { Graph } from '../../src/graph/graph.ts'
import type { Symbols } from '../../src/base/shape.ts'
import { interpret } from '../../src/plan/interpret.ts'
import { lower } from '../../src/plan/lower.ts'
import { packTernary, unpackTernary } from '../../src/quant/ternary.ts'
import { Executor } from '../../src/runtime/execute.ts'
import type { Kernels } from '../../src/runtime/kernels.ts'
import type { Numbers } from './files.ts'

/** Values of inputs, parameters and states by name. */
export type Feeds = Record<string, Numbers>

export interface Engine {
  name: string
  /** Absent: the oracle. */
  kernels?: Kernels
  /** Outputs by name, and states after the run as `state.<name>`. */
  run(graph: Graph, feeds: Feeds, symbols?: Symbols): Record<string, Numbers>
}

export const oracle: Engine = {
  name: 'float64',
  run(graph, feeds, symbols) {
    const results = interpret(graph, feeds, symbols)
    return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]))
  },
}

/** Plans on a module. `deterministic` false takes the fastest kernels, which training may use. */
export function compiled(kernels: Kernels, deterministic = true): Engine {
  return {
    name: `${kernels.manifest.isa}${deterministic ? '' : ' fastest'}`,
    kernels,
    run(graph, feeds, symbols = {}) {
      const plan = lower(graph, { symbols, deterministic })
      verify(plan, kernels.manifest)
      const executor = new Executor(kernels, [plan])
      const from = kernels.manifest.heapBase
      // Every f32 that no kernel writes is NaN.
      kernels.view('u8', from, kernels.memory.buffer.byteLength - from).fill(0xff)
      const place = (name: string) => (executor.has(name) ? executor.tensor(name) : executor.io(plan.name, name))
      for (const { name, dtype, shape } of graph.values) {
        if (name === undefined || !plan.buffers.some((buffer) => buffer.name === name)) continue
        const [N, K] = shape as number[]
        place(name).set(dtype === 't2' ? packTernary(Int8Array.from(feeds[name]), N, K) : feeds[name])
      }
      executor.run(plan.name, symbols)
      const results: Record<string, Numbers> = {}
      for (const { name } of executor.names('state')) results[`state.${name}`] = executor.tensor(name!).slice()
      for (const [name, { dtype, shape }] of graph.outputs) {
        const data = place(name).slice()
        const [N, K] = shape as number[]
        results[name] = dtype === 't2' ? unpackTernary(data as Uint8Array, N, K) : data
      }
      return results
    },
  }
}
