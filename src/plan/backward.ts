/**
 * Reverse-mode differentiation at build time: asks every op between a loss and the values wanted for its gradient
 * and adds the nodes to the same graph. Nothing is taped when the plan runs.
 */
import type { Builder } from '../graph/builder.ts'
import type { Node, Value } from '../graph/graph.ts'
import { add } from '../ops/add.ts'
import { requireThat } from '../base/errors.ts'

/**
 * Gradients of a scalar loss by value id, for those of `wanted` that it depends on.
 * Throws where an op on the way has no gradient, by its name.
 */
export function backward(b: Builder, loss: Value, wanted: readonly Value[]): Map<number, Value> {
  requireThat(loss.shape.length === 1 && loss.shape[0] === 1, 'backward', 'the loss must have shape [1]', loss.shape)
  const nodes = [...b.graph.nodes]
  const needed = new Set(wanted.map((value) => value.id))
  const active = new Set<Node>()
  for (const node of nodes) {
    if (!node.inputs.some((input) => input && needed.has(input.id))) continue
    active.add(node)
    for (const output of node.outputs) needed.add(output.id)
  }
  const gradients = new Map<number, Value>([[loss.id, b.constant([1])]])
  for (const node of nodes.reverse()) {
    if (!active.has(node)) continue
    const arriving = node.outputs.map((output) => gradients.get(output.id))
    if (arriving.every((gradient) => gradient === undefined)) continue
    requireThat(
      node.op.grad !== undefined,
      'backward',
      `op ${node.op.name} must have a gradient: the loss depends on it`,
    )
    const needs = node.inputs.map((input) => input !== null && needed.has(input.id))
    const leaving = node.op.grad(b, node, arriving, needs)
    node.inputs.forEach((input, i) => {
      const gradient = leaving[i]
      if (!input || !needs[i] || !gradient) return
      const sum = gradients.get(input.id)
      gradients.set(input.id, sum ? add(b, sum, gradient) : gradient)
    })
  }
  return new Map(wanted.flatMap((value) => (gradients.has(value.id) ? [[value.id, gradients.get(value.id)!]] : [])))
}
