/**
 * Builds a graph. Equal computations are one node (same op, attributes and inputs), so that layers may ask twice:
 * q, k and v quantise their input once, and a backward pass finds what the forward pass made.
 */
import type { DType } from '../base/dtype.ts'
import type { Shape } from '../base/shape.ts'
import { size } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import type { Attributes, Graph, Node, Op, Role, Value } from './graph.ts'

export class Builder {
  readonly graph: Graph
  private readonly known = new Map<string, Value[]>()
  private readonly named = new Map<string, Value>()

  constructor(name: string) {
    this.graph = { name, nodes: [], values: [], outputs: new Map() }
  }

  private value(role: Role, shape: Shape, dtype: DType, more: Partial<Value> = {}): Value {
    const value: Value = { id: this.graph.values.length, role, shape, dtype, ...more }
    this.graph.values.push(value)
    return value
  }

  private leaf(role: Role, name: string, shape: Shape, dtype: DType): Value {
    const old = this.named.get(name)
    if (old) {
      const same = old.role === role && old.dtype === dtype && JSON.stringify(old.shape) === JSON.stringify(shape)
      requireThat(same, name, `must be the ${old.role} ${old.dtype} [${old.shape}] that it is elsewhere`, [role, shape])
      return old
    }
    const value = this.value(role, shape, dtype, { name })
    this.named.set(name, value)
    return value
  }

  /** A trained tensor. Asking again by the same name returns the same value. */
  parameter(name: string, shape: Shape, dtype: DType = 'f32'): Value {
    return this.leaf('parameter', name, shape, dtype)
  }

  /** A tensor that lives between runs and is changed by updates. */
  state(name: string, shape: Shape, dtype: DType = 'f32'): Value {
    return this.leaf('state', name, shape, dtype)
  }

  /** A tensor that the host writes before a run. */
  input(name: string, shape: Shape, dtype: DType = 'f32'): Value {
    return this.leaf('input', name, shape, dtype)
  }

  /** f32 data that belongs to the graph. */
  constant(data: readonly number[], shape: Shape = [data.length]): Value {
    requireThat(size(shape) === data.length, 'constant', `must have ${size(shape)} numbers`, data.length)
    const key = `constant:${shape}:${data}`
    let value = this.named.get(key)
    if (!value) this.named.set(key, (value = this.value('constant', shape, 'f32', { data })))
    return value
  }

  /** All outputs of an op. */
  apply(op: Op, inputs: readonly (Value | null | undefined)[], attributes: Attributes = {}): Value[] {
    const given = inputs.map((value) => value ?? null)
    const key = `${op.name}(${given.map((value) => value?.id ?? '-')})${JSON.stringify(attributes)}`
    const old = op.updates ? undefined : this.known.get(key)
    if (old) return old
    const types = op.infer(given, attributes)
    const node: Node = { op, inputs: given, attributes, outputs: [] }
    node.outputs = types.map((type, output) => this.value('computed', type.shape, type.dtype, { node, output }))
    this.graph.nodes.push(node)
    this.known.set(key, node.outputs)
    return node.outputs
  }

  /** Names a value as a result that the host reads after a run. */
  output(name: string, value: Value): void {
    requireThat(!this.graph.outputs.has(name), `output ${name}`, 'must be named once')
    this.graph.outputs.set(name, value)
  }
}
