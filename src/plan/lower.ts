/**
 * Graph to plan: every node emits its kernel calls, values get buffers, the arena gets offsets.
 * An inference graph is lowered in two parts: `prepare` computes what follows from parameters alone (packed weights,
 * permuted kernels, interpolated positions) and runs once, at export; `run` finds the results as weights.
 */
import type { Arg, Call, Plan, PlanBuffer, Segment } from '../abi.ts'
import { isInArena, packedBytes } from '../abi.ts'
import { elementBytes } from '../base/dtype.ts'
import { evaluate, fixed, rows, size, symbolsIn, type Dim, type Symbols } from '../base/shape.ts'
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

/** What `prepare` computes for `run`: prepared values that running nodes or outputs use, by the name of the weight. */
function preparedOutputs(graph: Graph, prepared: ReadonlySet<Value>): Map<string, Value> {
  const running = live(graph, graph.outputs.values(), (value) => prepared.has(value))
  const outputs = new Map<string, Value>()
  for (const value of [...running.flatMap((node) => node.inputs), ...graph.outputs.values()]) {
    const own = value && viewed(value)
    if (own?.node && prepared.has(own)) outputs.set(preparedName(own), own)
  }
  return outputs
}

interface LayoutOptions {
  symbols: Symbols
  /** Where parameters lie. */
  parameters: 'state' | 'weight'
  /** Whether a value is there before the first node. */
  isLeaf: (value: Value) => boolean
}

/** The buffers of a plan while its nodes are lowered: made at first use, with the nodes from and to which they live. */
class Layout {
  readonly buffers: PlanBuffer[] = []
  /** The node that is being lowered; behind the last one, the number of nodes. */
  node = 0
  private readonly options: LayoutOptions
  /** Of every buffer. */
  private readonly lifetimes: Lifetime[] = []
  private readonly indices = new Map<Value, number>()
  private readonly constants: { index: number; data: readonly number[] }[] = []

  constructor(options: LayoutOptions) {
    this.options = options
  }

  /** Address of a value, which the current node uses, or of a place `plus` bytes into it. */
  use(value: Value, plus = 0): Arg {
    return this.touch(this.indexOf(value), plus)
  }

  /** Address of memory for the current node alone. */
  scratch(bytes: Dim): Arg {
    return this.touch(this.add('scratch', { shape: [bytes], dtype: 'u8' }, evaluate(bytes, this.options.symbols)))
  }

  /** Lets outputs live to the end; those in scratch memory become io. Returns the names of their buffers. */
  exposeOutputs(outputs: ReadonlyMap<string, Value>): Set<string> {
    const names = new Set<string>()
    for (const [name, value] of outputs) {
      const index = this.indexOf(value)
      const buffer = this.buffers[index]
      // The host reads outputs after the last call.
      this.lifetimes[index].to = this.node
      if (buffer.segment === 'scratch') Object.assign(buffer, { segment: 'io', name })
      requireThat(
        buffer.name === name || buffer.segment !== 'io',
        `output ${name}`,
        `must not share memory with ${buffer.name}`,
      )
      names.add(buffer.name!)
    }
    return names
  }

  /** Lets inputs live from the start: the host writes them before the first call. Returns their names. */
  openInputs(outputs: ReadonlySet<string>): string[] {
    return this.buffers.flatMap(({ segment, name }, index) => {
      if (segment !== 'io' || outputs.has(name!)) return []
      this.lifetimes[index].from = 0
      return [name!]
    })
  }

  /** Calls that set the constants; they come before all others. */
  setConstants(): Call[] {
    return this.constants.flatMap(({ index, data }) => {
      this.lifetimes[index].from = 0
      return data.map((number, i): Call => ({ k: 'fill__f32', a: [{ at: index }, i, number, 1] }))
    })
  }

  /** Gives io and scratch their places in the arena, once all lifetimes are known. */
  layOutArena(): void {
    const arena = this.buffers.flatMap((buffer, index) => (isInArena(buffer) ? [index] : []))
    // An output that no node touches lives at the end alone.
    const lifetimes = arena.map((index) => this.lifetimes[index])
    const { offsets } = assignOffsets(lifetimes.map((life) => ({ ...life, from: Math.min(life.from, this.node) })))
    arena.forEach((index, i) => (this.buffers[index].offset = offsets[i]))
  }

  private touch(index: number, plus = 0): Arg {
    const lifetime = this.lifetimes[index]
    lifetime.from = Math.min(lifetime.from, this.node)
    lifetime.to = Math.max(lifetime.to, this.node)
    return plus === 0 ? { at: index } : { at: index, plus }
  }

  private indexOf(value: Value): number {
    const owner = this.owner(value)
    let index = this.indices.get(owner)
    if (index === undefined) {
      const [segment, name] = this.segmentOf(owner)
      index = this.add(segment, owner, bytesOf(owner, this.options.symbols), name)
      this.indices.set(owner, index)
      if (owner.data) this.constants.push({ index, data: owner.data })
    }
    return index
  }

  /** The value in whose memory a value lies: views show it, updates change it. */
  private owner(value: Value): Value {
    const own = viewed(value)
    const source = own.node?.op.alias?.[own.output!]
    return source === undefined || this.options.isLeaf(own) ? own : this.owner(own.node!.inputs[source]!)
  }

  private segmentOf(owner: Value): [Segment, name?: string] {
    const { isLeaf, parameters } = this.options
    if (owner.role === 'input') return ['io', owner.name]
    if (owner.role === 'state') return ['state', owner.name]
    if (owner.role === 'parameter') return [parameters, owner.name]
    if (owner.role === 'computed' && isLeaf(owner)) return ['weight', preparedName(owner)]
    return ['scratch']
  }

  private add(segment: Segment, { dtype, shape }: Type, bytes: number, name?: string): number {
    const named = name === undefined ? {} : { name }
    this.buffers.push({ ...named, segment, dtype, shape: [...shape], bytes, offset: 0 })
    this.lifetimes.push({ bytes, from: Infinity, to: -1 })
    return this.buffers.length - 1
  }
}

/** The kernel calls of nodes in order; leaves the layout behind the last one. */
function emitCalls(nodes: readonly Node[], layout: Layout): Call[] {
  const calls: Call[] = []
  const lowering: Lowering = {
    call: (family, ...args) => void calls.push({ k: family, a: args }),
    at: (value, plus = 0) => (value ? layout.use(value, plus) : 0),
    scratch: (bytes) => layout.scratch(bytes),
  }
  for (const node of nodes) {
    node.op.lower(node, lowering)
    // Operands live through their node even where no call has their address.
    for (const value of [...node.inputs, ...node.outputs]) if (value) layout.use(value)
    layout.node++
  }
  return calls
}

/**
 * The plan of a graph, or of one of its two parts: nodes that no output needs are left out, memory is laid out for the
 * largest symbols. Throws a RangeError where an output shares memory with an input or another output, or a symbol has
 * no value.
 */
export function lower(graph: Graph, options: LowerOptions): Plan {
  const { symbols, deterministic, part = 'all' } = options
  const prepared = part === 'all' ? new Set<Value>() : preparedValues(graph)
  const isLeaf = (value: Value) => !value.node || (part === 'run' && prepared.has(value))
  const wanted = part === 'prepare' ? preparedOutputs(graph, prepared) : graph.outputs
  const layout = new Layout({ symbols, parameters: part === 'all' ? 'state' : 'weight', isLeaf })
  const calls = emitCalls(live(graph, wanted.values(), isLeaf), layout)
  const outputs = layout.exposeOutputs(wanted)
  const inputs = layout.openInputs(outputs)
  const setConstants = layout.setConstants()
  layout.layOutArena()
  const { buffers } = layout
  const used = new Set(buffers.flatMap(({ shape }) => shape.flatMap(symbolsIn)))
  return {
    name: graph.name,
    deterministic,
    symbols: Object.fromEntries(Object.entries(symbols).filter(([symbol]) => used.has(symbol))),
    buffers,
    calls: [...setConstants, ...calls],
    inputs,
    outputs: [...outputs],
  }
}
