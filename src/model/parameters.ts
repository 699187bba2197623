/**
 * How many parameters a model has, by the part of it that their names begin with; the embeddings apart, since a large
 * vocabulary outweighs everything else.
 */
import { size } from '../base/shape.ts'
import type { Graph } from '../graph/graph.ts'
import { inferenceGraphs } from './bitgen.ts'
import type { ModelConfig } from './config.ts'
import { MEMORY_PRIOR } from './heads.ts'
import { parameters } from './init.ts'

/** Numbers of elements of all parameters of some graphs, by name. */
export function parameterSizes(graphs: readonly Graph[]): Map<string, number> {
  return new Map(graphs.flatMap(parameters).map(({ name, shape }) => [name!, size(shape)]))
}

/** Those of a whole model: of its entry points, the prior of the memory and the temperature. */
export function modelParameterSizes(config: ModelConfig): Map<string, number> {
  const all = parameterSizes(inferenceGraphs(config))
  return all.set(MEMORY_PRIOR, config.slots * config.channels).set('itc.log_temperature', 1)
}

/** Sums by part, and `total`. */
export function countByPart(sizes: ReadonlyMap<string, number>): Record<string, number> {
  const parts: Record<string, number> = {}
  for (const [name, count] of sizes) {
    const part = /^text\.(token|pos)_embedding/.test(name) ? 'text embeddings' : name.split('.')[0]
    parts[part] = (parts[part] ?? 0) + count
  }
  return { ...parts, total: [...sizes.values()].reduce((sum, count) => sum + count, 0) }
}
