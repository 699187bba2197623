/**
 * Making ONNX models (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; numbers of fields are those of that file):
 * nodes, initialisers, inputs and outputs are collected and written as one model. Peers alone run them.
 */
import { requireThat } from '../../src/base/errors.ts'
import { bytes, float, integer, join, text } from './protobuf.ts'

/** Version of the standard operators; all that are used here are in it. */
const OPSET = 21
const IR_VERSION = 10
/** Where ONNX Runtime keeps operators of its own, such as MatMulNBits. */
export const MICROSOFT = 'com.microsoft'

const ELEMENTS = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7 } as const
type Element = keyof typeof ELEMENTS

type OnnxData = Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array

/** Whole numbers are INT, other numbers must be marked: 1 may be meant as a float. */
type Attribute = number | string | readonly number[] | { float: number }
type Attributes = Readonly<Record<string, Attribute>>

function elementOf(data: OnnxData): Element {
  if (data instanceof Float32Array) return 'f32'
  if (data instanceof Uint8Array) return 'u8'
  if (data instanceof Int8Array) return 'i8'
  return data instanceof Int32Array ? 'i32' : 'i64'
}

function attribute(name: string, value: Attribute): Uint8Array {
  const head = text(1, name)
  if (typeof value === 'number') return join(head, integer(3, value), integer(20, 2))
  if (typeof value === 'string') return join(head, text(4, value), integer(20, 3))
  if ('float' in value) return join(head, float(2, value.float), integer(20, 1))
  return join(head, ...value.map((item) => integer(8, item)), integer(20, 7))
}

/** A graph input or output of fixed shape. */
function valueInfo(name: string, element: Element, shape: readonly number[]): Uint8Array {
  const dims = shape.map((dim) => bytes(1, integer(1, dim)))
  const tensor = join(integer(1, ELEMENTS[element]), bytes(2, join(...dims)))
  return join(text(1, name), bytes(2, bytes(1, tensor)))
}

export class OnnxModel {
  private readonly nodes: Uint8Array[] = []
  private readonly initialisers: Uint8Array[] = []
  private readonly inputs: Uint8Array[] = []
  private readonly outputs: Uint8Array[] = []
  private readonly known = new Set<string>()
  private count = 0

  input(name: string, shape: readonly number[]): string {
    this.inputs.push(valueInfo(name, 'f32', shape))
    this.known.add(name)
    return name
  }

  /** Data of the model; the name it is asked by. */
  constant(data: OnnxData, shape: readonly number[], name = `constant.${this.count++}`): string {
    const size = shape.reduce((product, dim) => product * dim, 1)
    requireThat(size === data.length, `onnx: ${name}`, `must have ${size} elements`, data.length)
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const dims = shape.map((dim) => integer(1, dim))
    this.initialisers.push(join(...dims, integer(2, ELEMENTS[elementOf(data)]), text(8, name), bytes(9, raw)))
    this.known.add(name)
    return name
  }

  scalar(value: number): string {
    return this.constant(Float32Array.of(value), [])
  }

  /** A list of dimensions or axes. */
  list(values: readonly number[]): string {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length])
  }

  /** Adds a node; the names of its outputs. An optional input that is absent is ''. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    { domain = '', outputs = 1 } = {},
  ): string[] {
    for (const name of inputs) {
      requireThat(name === '' || this.known.has(name), `onnx: ${op}`, 'must take values that are known', name)
    }
    const names = Array.from({ length: outputs }, () => `${op}.${this.count++}`)
    this.append(op, inputs, names, attributes, domain)
    return names
  }

  /** The one output of a node. */
  apply(op: string, inputs: readonly string[], attributes: Attributes = {}, domain = ''): string {
    return this.node(op, inputs, attributes, { domain })[0]
  }

  output(name: string, value: string, shape: readonly number[]): void {
    this.append('Identity', [value], [name], {}, '')
    this.outputs.push(valueInfo(name, 'f32', shape))
  }

  /** The model as a file. */
  bytes(): Uint8Array {
    const graph = join(
      ...this.nodes.map((node) => bytes(1, node)),
      text(2, 'graph'),
      ...this.initialisers.map((tensor) => bytes(5, tensor)),
      ...this.inputs.map((input) => bytes(11, input)),
      ...this.outputs.map((output) => bytes(12, output)),
    )
    const operators = (domain: string, version: number) => bytes(8, join(text(1, domain), integer(2, version)))
    return join(integer(1, IR_VERSION), bytes(7, graph), operators('', OPSET), operators(MICROSOFT, 1))
  }

  private append(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Attributes,
    domain: string,
  ): void {
    const parts = [
      ...inputs.map((name) => text(1, name)),
      ...outputs.map((name) => text(2, name)),
      text(4, op),
      ...Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value))),
      text(7, domain),
    ]
    this.nodes.push(join(...parts))
    for (const name of outputs) this.known.add(name)
  }
}
