/**
 * Initial values of the parameters (model.md section 5): every block starts near the identity. Each tensor has a
 * stream of its own, keyed by its name, so that adding a parameter changes no other.
 */
import { log } from '../base/math.ts'
import { Stream, USE } from '../base/rng.ts'
import { fixed } from '../base/shape.ts'
import type { Graph, Value } from '../graph/graph.ts'
import { MEMORY_PRIOR } from './heads.ts'

const INITIAL_TEMPERATURE = 0.07

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193) >>> 0
  return h
}

/** Standard deviation of a matrix or table. */
function deviation(name: string, shape: readonly number[]): number {
  const fanIn = shape.slice(1).reduce((product, dim) => product * dim, 1)
  // The scale of the codes, which a LayerNorm gives.
  if (name === MEMORY_PRIOR) return 1
  if (name.startsWith('itc.') || name.startsWith('fusion.vision_proj')) return 1 / Math.sqrt(fanIn)
  if (name.startsWith('vision.stem.')) return 1 / Math.sqrt(3 * fanIn)
  return name.includes('pos') ? 0.002 : 0.02
}

/** Value of a vector whose elements all start alike. */
function level(name: string): number {
  if (name === 'itc.log_temperature') return log(INITIAL_TEMPERATURE)
  if (name.includes('sub_norm') || name.includes('lambda1')) return 0.01
  return name.includes('norm') && name.endsWith('weight') ? 1 : 0
}

/** Initial values of one parameter. */
export function initialValue({ name, shape }: Value, seed: number): Float32Array {
  const sizes = shape.map(fixed)
  const data = new Float32Array(sizes.reduce((product, dim) => product * dim, 1))
  if (sizes.length === 1) return data.fill(level(name!))
  const scale = deviation(name!, sizes)
  const stream = new Stream(seed, 0, hash(name!), USE.init)
  return data.map(() => scale * stream.normal())
}

/** Parameters of a graph, in order of first use. */
export function parameters(graph: Graph): Value[] {
  return graph.values.filter((value) => value.role === 'parameter')
}
