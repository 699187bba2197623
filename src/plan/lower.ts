/**
 * Graph to plan: every node emits its kernel calls, values get buffers, the arena gets offsets.
 * An inference graph is lowered in two parts: `prepare` computes what follows from parameters alone (packed weights,
 * permuted kernels, interpolated positions) and runs once, at export; `run` finds the results as weights.
 */
import type { Arg, Call, Plan, PlanBuffer, Segment } from '../abi.ts'
import { packedBytes } from '../abi.ts'
import { elementBytes } from '../base/dtype.ts'
import { evaluate, fixed, rows, size, symbolsIn, type Symbols } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import type { Graph, Lowering, Node, Type, Value } from '../graph/graph.ts'
import { assignOffsets, type Lifetime } from './memory.ts'

export interface LowerOptions {
  /** Largest value of every symbol. */
  symbols: Symbols
  deterministic: boolean
  /** Default `all`: parameters are state, which the trainer updates. In the two parts they are weights. */
  part?: 'all' | 'prepare' | 'run'
}

/** Bytes of a value at the largest symbols. */
export function bytesOf(type: Type, symbols: Symbols): number {
  if (type.dtype === 't2') return packedBytes(evaluate(rows(type.shape), symbols), fixed(type.shape.at(-1)))
  return size(type.shape, symbols) * elementBytes(type.dtype)
}

/** The value whose memory a view shows; the value itself where it is none. */
function viewed(value: Value): Value {
  const { node, output } = value
  const source = node?.op.alias?.[output!]
  return source === undefined || node!.op.updates ? value : viewed(node!.inputs[source]!)
}

/**
 * Name of a value that follows from parameters, in the model file: `<parameter>:<op>`, and the output where there are
 * several. A view has the name of what it shows.
 */
export function preparedName(value: Value): string {
  const own = viewed(value)
  if (own.name) return own.name
  const { op, inputs, outputs } = own.node!
  const sources = inputs.flatMap((input) => (input && input.role !== 'constant' ? [preparedName(input)] : []))
  return `${sources.join('+')}:${op.name}${outputs.length > 1 ? `.${own.output}` : ''}`
}

/** Values that follow from parameters and constants alone. */
function preparedValues(graph: Graph): Set<Value> {
  const known = new Set<Value>()
  const isKnown = (value: Value | null) =>
    !value || value.role === 'parameter' || value.role === 'constant' || known.has(value)
  for (const node of graph.nodes) if (node.inputs.every(isKnown)) for (const output of node.outputs) known.add(output)
  return known
}

/** Nodes that the wanted values need; updates of state are always needed. */
function live(graph: Graph, wanted: Iterable<Value>, stopAt: (value: Value) => boolean): Node[] {
  const needed = new Set<Node>()
  const visit = (value: Value | null): void => {
    if (!value?.node || needed.has(value.node) || stopAt(value)) return
    needed.add(value.node)
    value.node.inputs.forEach(visit)
  }
  for (const value of wanted) visit(value)
  for (const node of graph.nodes) {
    if (!node.op.updates || stopAt(node.outputs[0])) continue
    node.outputs.forEach(visit)
  }
  return graph.nodes.filter((node) => needed.has(node))
}

export function lower(graph: Graph, options: LowerOptions): Plan {
  const { symbols, part = 'all' } = options
  const prepared = part === 'all' ? new Set<Value>() : preparedValues(graph)
  const isLeaf = (value: Value) => !value.node || (part === 'run' && prepared.has(value))
  let outputs = new Map(graph.outputs)
  if (part === 'prepare') {
    outputs = new Map()
    const running = live(graph, graph.outputs.values(), (value) => prepared.has(value))
    const used = [...running.flatMap((node) => node.inputs), ...graph.outputs.values()]
    for (const value of used) {
      const own = value && viewed(value)
      if (own?.node && prepared.has(own)) outputs.set(preparedName(own), own)
    }
  }
  const nodes = live(graph, outputs.values(), isLeaf)

  const buffers: PlanBuffer[] = []
  const lifetimes: Lifetime[] = []
  const buffer = (segment: Segment, type: Type, bytes: number, name?: string): number => {
    buffers.push({
      ...(name === undefined ? {} : { name }),
      segment,
      dtype: type.dtype,
      shape: [...type.shape],
      bytes,
      offset: 0,
    })
    lifetimes.push({ bytes, from: Infinity, to: -1 })
    return buffers.length - 1
  }
  const home = new Map<Value, number>()
  const root = (value: Value): Value => {
    const own = viewed(value)
    const source = own.node?.op.alias?.[own.output!]
    return source === undefined || isLeaf(own) ? own : root(own.node!.inputs[source]!)
  }
  const constants: { at: number; data: readonly number[] }[] = []
  const place = (value: Value): number => {
    const owner = root(value)
    let at = home.get(owner)
    if (at !== undefined) return at
    const bytes = bytesOf(owner, symbols)
    if (owner.data) {
      at = buffer('scratch', owner, bytes)
      constants.push({ at, data: owner.data })
    } else if (owner.role === 'input') at = buffer('io', owner, bytes, owner.name)
    else if (owner.role === 'state') at = buffer('state', owner, bytes, owner.name)
    else if (owner.role === 'parameter') at = buffer(part === 'all' ? 'state' : 'weight', owner, bytes, owner.name)
    else if (isLeaf(owner)) at = buffer('weight', owner, bytes, preparedName(owner))
    else at = buffer('scratch', owner, bytes)
    home.set(owner, at)
    return at
  }

  const calls: Call[] = []
  let step = 0
  const touch = (at: number): Arg => {
    lifetimes[at].from = Math.min(lifetimes[at].from, step)
    lifetimes[at].to = Math.max(lifetimes[at].to, step)
    return { at }
  }
  const lowering: Lowering = {
    call: (family, ...args) => void calls.push({ k: family, a: args }),
    at: (value) => (value ? touch(place(value)) : 0),
    scratch: (bytes) => touch(buffer('scratch', { shape: [bytes], dtype: 'u8' }, evaluate(bytes, symbols))),
  }
  for (const node of nodes) {
    node.op.lower(node, lowering)
    for (const value of [...node.inputs, ...node.outputs]) if (value) touch(place(value))
    step++
  }
  // The host writes inputs before the first call and reads outputs after the last; constants are set at the start.
  const names = new Set<string>()
  for (const [name, value] of outputs) {
    const at = place(value)
    const owner = buffers[at]
    lifetimes[at].to = step
    if (owner.segment === 'scratch') Object.assign(owner, { segment: 'io', name })
    requireThat(
      owner.name === name || owner.segment !== 'io',
      `output ${name}`,
      `must not share memory with ${owner.name}`,
    )
    names.add(owner.name!)
  }
  const inputs = buffers.flatMap((b, at) => {
    if (b.segment !== 'io' || names.has(b.name!)) return []
    lifetimes[at].from = 0
    return [b.name!]
  })
  const setConstants = constants.flatMap(({ at, data }) => {
    lifetimes[at].from = 0
    return data.map((number, i): Call => ({ k: 'fill__f32', a: [{ at }, i, number, 1] }))
  })
  const arena = buffers.flatMap((b, at) => (b.segment === 'io' || b.segment === 'scratch' ? [at] : []))
  const { offsets } = assignOffsets(arena.map((at) => ({ ...lifetimes[at], from: Math.min(lifetimes[at].from, step) })))
  arena.forEach((at, i) => (buffers[at].offset = offsets[i]))
  const used = new Set(buffers.flatMap(({ shape }) => shape.flatMap(symbolsIn)))
  return {
    name: graph.name,
    deterministic: options.deterministic,
    symbols: Object.fromEntries(Object.entries(symbols).filter(([symbol]) => used.has(symbol))),
    buffers,
    calls: [...setConstants, ...calls],
    inputs,
    outputs: [...names],
  }
}
