/**
 * The oracle: runs a graph in float64 by the reference of every op. Slow, obvious, and independent of kernels,
 * packing and memory planning.
 */
import { evaluate, size, type Symbols } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import type { Graph, Tensor, Type, Value } from '../graph/graph.ts'

/** Zeroed tensor of a type. */
export function allocate(type: Type, symbols: Symbols): Tensor {
  return {
    shape: type.shape.map((dim) => evaluate(dim, symbols)),
    data: new Float64Array(size(type.shape, symbols)),
  }
}

/**
 * Runs `graph` on `feeds` (parameters, states and inputs by name; never changed).
 * Returns the outputs by name, and under `state.<name>` the last version of every state that was updated.
 */
export function interpret(
  graph: Graph,
  feeds: Record<string, ArrayLike<number>>,
  symbols: Symbols = {},
): Record<string, Tensor> {
  const tensors = new Map<number, Tensor>()
  const states: Record<string, Tensor> = {}
  const stateNames = new Map<number, string>()
  const read = (value: Value): Tensor => {
    let tensor = tensors.get(value.id)
    if (!tensor) {
      tensor = allocate(value, symbols)
      const data = value.data ?? feeds[value.name!]
      requireThat(data !== undefined, `interpret ${graph.name}`, `must be fed ${value.role} ${value.name}`)
      requireThat(
        data.length === tensor.data.length,
        `${value.name}`,
        `must have ${tensor.shape} elements`,
        data.length,
      )
      tensor.data.set(data)
      tensors.set(value.id, tensor)
    }
    return tensor
  }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((value) => value && read(value))
    const outputs = node.outputs.map((value, i) => {
      const tensor = allocate(value, symbols)
      const source = node.op.alias?.[i]
      if (source !== undefined) tensor.data.set(inputs[source]!.data)
      tensors.set(value.id, tensor)
      if (node.op.updates && source !== undefined) {
        const input = node.inputs[source]!
        const name = input.role === 'computed' ? stateNames.get(input.id) : input.name
        if (name !== undefined) {
          stateNames.set(value.id, name)
          states[`state.${name}`] = tensor
        }
      }
      return tensor
    })
    node.op.reference(inputs, outputs, node.attributes)
  }
  const results: Record<string, Tensor> = states
  for (const [name, value] of graph.outputs) results[name] = read(value)
  return results
}
