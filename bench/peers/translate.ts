/**
 * A graph of ours as an ONNX model, op by op, for one fixed size of every symbol: TRANSLATIONS says which nodes stand for
 * an op. What follows from parameters alone is computed here, by the float64 references, and stored. Ternary linears
 * become products with gamma * codes; activations stay f32 or are quantised by ONNX's own dynamic quantisation, a
 * scale for a whole tensor and not for a row. Ops of inference of the `tiny` tower only; others are refused by name.
 */
import { columns, evaluate, type Symbols } from '../../src/base/shape.ts'
import { requireThat } from '../../src/base/errors.ts'
import type { Graph, Node, Tensor, Value } from '../../src/graph/graph.ts'
import { allocate } from '../../src/plan/interpret.ts'
import { encodeRows } from '../../src/quant/rows.ts'
import { MICROSOFT, OnnxModel } from './onnx.ts'
import { matmulInteger, quantise, type Quantised } from './onnxruntime.ts'
import { transpose } from './product.ts'

export interface TranslateOptions {
  symbols: Symbols
  /** Parameters by name. */
  values: ReadonlyMap<string, Float32Array>
  /** How products with weights are computed. */
  linear: 'f32' | 'int8'
  /** The output that the model gives. */
  output: string
}

/** What a translation of a node works on. */
class Translation {
  readonly model = new OnnxModel()
  readonly int8: boolean
  private readonly options: TranslateOptions
  private readonly names = new Map<Value, string>()
  private readonly tensors = new Map<Value, Tensor>()
  private readonly quantised = new Map<string, Quantised>()

  constructor(options: TranslateOptions) {
    this.options = options
    this.int8 = options.linear === 'int8'
  }

  shape(value: Value): number[] {
    return value.shape.map((dim) => evaluate(dim, this.options.symbols))
  }

  /** Whether a value follows from parameters and constants alone. */
  isKnown(value: Value | null): boolean {
    return !value || value.role === 'parameter' || value.role === 'constant' || this.tensors.has(value)
  }

  tensor(value: Value): Tensor {
    let tensor = this.tensors.get(value)
    if (!tensor) {
      tensor = allocate(value, this.options.symbols)
      const data = value.data ?? this.options.values.get(value.name!)
      requireThat(data !== undefined, 'translate', `must be given the ${value.role} ${value.name}`)
      tensor.data.set(data)
      this.tensors.set(value, tensor)
    }
    return tensor
  }

  /** Computes a node whose inputs are known. */
  fold(node: Node): void {
    const outputs = node.outputs.map((output) => allocate(output, this.options.symbols))
    const inputs = node.inputs.map((input) => input && this.tensor(input))
    node.outputs.forEach((output, i) => {
      const source = node.op.alias?.[i]
      if (source !== undefined) outputs[i].data.set(inputs[source]!.data)
      this.tensors.set(output, outputs[i])
    })
    node.op.reference(inputs, outputs, node.attributes)
  }

  /** The name of a value in the model; data is stored on first use, in the given shape. */
  name(value: Value, shape?: readonly number[]): string {
    let name = this.names.get(value)
    if (name === undefined) {
      name = this.model.constant(Float32Array.from(this.tensor(value).data), shape ?? this.shape(value))
      this.names.set(value, name)
    }
    return name
  }

  set(value: Value, name: string): void {
    this.names.set(value, name)
  }

  input(value: Value): void {
    this.set(value, this.model.input(value.name!, this.shape(value)))
  }

  reshape(name: string, shape: readonly number[]): string {
    return this.model.apply('Reshape', [name, this.model.list(shape)])
  }

  /** x . W^T + bias, W [N,K] = scale * codes where there is a scale. Products of one input share its codes. */
  product(x: string, W: Value, scale: number | undefined, bias: Value | null): string {
    const { data, shape } = this.tensor(W)
    const [N, K] = shape
    let y: string
    if (this.int8) {
      if (!this.quantised.has(x)) this.quantised.set(x, quantise(this.model, x))
      const stored = scale === undefined ? wholeCodes(data) : { codes: Int8Array.from(data), scale }
      y = matmulInteger(this.model, this.quantised.get(x)!, transpose(stored.codes, N, K), [K, N], stored.scale)
    } else {
      const weights = Float32Array.from(data, (weight) => weight * (scale ?? 1))
      y = this.model.apply('MatMul', [x, this.model.constant(transpose(weights, N, K), [K, N])])
    }
    return bias ? this.model.apply('Add', [y, this.name(bias)]) : y
  }
}

/** int8 codes of weights with one scale for all: a matrix of one row. */
function wholeCodes(weights: ArrayLike<number>): { codes: Int8Array; scale: number } {
  const { codes, scales } = encodeRows(Float32Array.from(weights), 1, weights.length)
  return { codes, scale: scales[0] }
}

/** Names the outputs of a node that others use. */
type Translate = (to: Translation, node: Node) => void

/** A node with one output from one expression. */
const single =
  (make: (to: Translation, inputs: readonly Value[], node: Node) => string): Translate =>
  (to, node) =>
    to.set(node.outputs[0], make(to, node.inputs as readonly Value[], node))

const binary = (op: string) => single((to, [a, b]) => to.model.apply(op, [to.name(a), to.name(b)]))

const TRANSLATIONS: Record<string, Translate> = {
  add: binary('Add'),
  mul_channels: binary('Mul'),
  reshape: single((to, [x], { outputs }) => to.reshape(to.name(x), to.shape(outputs[0]))),
  add_rows: single((to, [x, table]) => to.model.apply('Add', [to.name(x), to.name(table, to.shape(table).slice(-2))])),
  gelu: single((to, [x]) => to.model.apply('Gelu', [to.name(x)])),
  matmul: single((to, [x, w, bias]) => to.product(to.name(x), w, undefined, bias)),
  // The codes stand for x itself: how a peer quantises is its own affair.
  quantize_rows: single((to, [x]) => to.name(x)),
  matmul_ternary: single((to, [x, , , W, gamma, bias]) => to.product(to.name(x), W, to.tensor(gamma).data[0], bias)),
  layer_norm: single((to, [x, gain, bias], { attributes: { eps } }) =>
    to.model.apply(
      'LayerNormalization',
      [x, gain, bias].map((value) => to.name(value)),
      { epsilon: { float: Number(eps) } },
    ),
  ),
  rms_norm: single((to, [x, gain], { attributes: { eps } }) => {
    const K = columns(x.shape)
    const ones = () => to.model.constant(new Float32Array(K).fill(1), [K])
    const inputs = [to.name(x), gain ? to.name(gain) : ones()]
    return to.model.apply('SimplifiedLayerNormalization', inputs, { epsilon: { float: Number(eps) } })
  }),
  attention: single((to, [q, k, v, lengths], { attributes: { heads, causal } }) => {
    requireThat(!lengths && !causal, 'translate attention', 'must have no mask')
    const inputs = [q, k, v].map((value) => to.name(value))
    return to.model.apply('MultiHeadAttention', inputs, { num_heads: Number(heads) }, MICROSOFT)
  }),
  patches: single((to, [pixels], { outputs, attributes }) => {
    const [B, C, S] = to.shape(pixels)
    const patch = Number(attributes.patch)
    const cells = to.reshape(to.name(pixels), [B, C, S / patch, patch, S / patch, patch])
    const turned = to.model.apply('Transpose', [cells], { perm: [0, 2, 4, 1, 3, 5] })
    return to.reshape(turned, to.shape(outputs[0]))
  }),
  concat_first: single((to, [cls, x]) => {
    const [B] = to.shape(x)
    requireThat(B === 1, 'translate concat_first', 'must have one sample', B)
    return to.model.apply('Concat', [to.name(cls), to.name(x)], { axis: 1 })
  }),
  mean_rows: single((to, [x, lengths]) => {
    requireThat(!lengths, 'translate mean_rows', 'must have no lengths')
    return to.model.apply('ReduceMean', [to.name(x), to.model.list([1])], { keepdims: 0 })
  }),
  l2_normalize: single((to, [x]) => {
    const norm = to.model.apply('ReduceL2', [to.name(x), to.model.list([-1])], { keepdims: 1 })
    return to.model.apply('Div', [to.name(x), to.model.apply('Max', [norm, to.model.scalar(1e-12)])])
  }),
}

/** The model of one output of a graph. Throws a RangeError that names an op without a translation. */
export function translate(graph: Graph, options: TranslateOptions): OnnxModel {
  const to = new Translation(options)
  for (const value of graph.values) if (value.role === 'input') to.input(value)
  for (const node of graph.nodes) {
    const { name } = node.op
    if (node.inputs.every((input) => to.isKnown(input))) to.fold(node)
    else {
      requireThat(name in TRANSLATIONS, 'translate', `op must be one of ${Object.keys(TRANSLATIONS).join(', ')}`, name)
      TRANSLATIONS[name](to, node)
    }
  }
  const value = graph.outputs.get(options.output)
  requireThat(value !== undefined, 'translate', `must have the output ${options.output}`)
  to.model.output(options.output, to.name(value), to.shape(value))
  return to.model
}
