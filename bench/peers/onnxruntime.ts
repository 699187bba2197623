/**
 * ONNX Runtime, as WebAssembly and as native code behind one interface: sessions of one thread on models made here, and
 * the product in the forms that it has. Copies of the input and the output are made by `run` itself.
 */
import { versionOf } from './installed.ts'
import { GAMMA, TOLERANCE, transpose, type Contender, type Engine, type Product } from './product.ts'
import { MICROSOFT, OnnxModel } from './onnx.ts'

interface OrtTensor {
  data: Float32Array
}

interface OrtSession {
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>
}

/** What is used of either package; their own types are there only where they are installed. */
export interface Ort {
  env: { wasm: { numThreads: number } }
  InferenceSession: { create(model: Uint8Array, options: object): Promise<OrtSession> }
  Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => OrtTensor
}

export type OrtKind = 'Web' | 'Node'

/** Runs a model on one input. */
export type OrtRun = (x: Float32Array) => Promise<Record<string, OrtTensor>>

export interface OnnxRuntime extends Engine {
  kind: OrtKind
  open(model: OnnxModel, name: string, shape: readonly number[]): Promise<OrtRun>
}

export const KINDS = {
  Web: { name: 'onnxruntime-web', entry: '/wasm', provider: 'wasm', isa: 'wasm, simd128' },
  Node: { name: 'onnxruntime-node', entry: '', provider: 'cpu', isa: 'native, the best that the processor has' },
}

/** The package, to run on one thread. */
export async function importOrt(kind: OrtKind): Promise<Ort> {
  const { name, entry } = KINDS[kind]
  const ort = (await import(`${name}${entry}`)) as Ort
  if (kind === 'Web') ort.env.wasm.numThreads = 1
  return ort
}

/** Loads a model that takes `input` in the given shape. */
export async function openModel(
  ort: Ort,
  kind: OrtKind,
  bytes: Uint8Array,
  input: string,
  shape: readonly number[],
): Promise<OrtRun> {
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: [KINDS[kind].provider],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  })
  return (x) => session.run({ [input]: new ort.Tensor('float32', x, shape) })
}

export async function onnxRuntime(kind: OrtKind): Promise<OnnxRuntime> {
  const { name: module, isa } = KINDS[kind]
  const ort = await importOrt(kind)
  const name = `ONNX Runtime ${kind}`
  const open: OnnxRuntime['open'] = (model, input, shape) => openModel(ort, kind, model.bytes(), input, shape)
  return {
    name,
    kind,
    about: `${versionOf(module)}, ${isa}`,
    open,
    async contenders(product: Product): Promise<Contender[]> {
      const { sizes, x } = product
      const session = async (form: Form) => {
        const run = await open(model(form, product), 'x', [sizes[0], sizes[1]])
        return async () => (await run(x)).y.data
      }
      const idle = await session(idleForm)
      const made = Object.entries(FORMS).map(async ([form, { make, tolerance }]): Promise<Contender> => {
        return { name: `${name} ${form}`, call: await session(make), idle, tolerance }
      })
      return Promise.all(made)
    },
  }
}

/** Adds the nodes of y [M,N] to a model with the input x [M,K]. */
type Form = (to: OnnxModel, x: string, product: Product) => string

function model(form: Form, product: Product): OnnxModel {
  const [M, K, N] = product.sizes
  const to = new OnnxModel()
  to.output('y', form(to, to.input('x', [M, K]), product), [M, N])
  return to
}

/** Quantised activations: codes u8, scale, zero point. */
export type Quantised = readonly string[]

export function quantise(to: OnnxModel, x: string): Quantised {
  return to.node('DynamicQuantizeLinear', [x], {}, { outputs: 3 })
}

/** y = x . w with w [K,N] = scale * codes in int8: what the library's own dynamic quantisation makes of a MatMul. */
export function matmulInteger(
  to: OnnxModel,
  [q, step, zero]: Quantised,
  codes: Int8Array,
  [K, N]: readonly [number, number],
  scale: number,
): string {
  const none = to.constant(Int8Array.of(0), [])
  const sums = to.apply('MatMulInteger', [q, to.constant(codes, [K, N]), zero, none])
  return to.apply('Mul', [to.apply('Cast', [sums], { to: 1 }), to.apply('Mul', [step, to.scalar(scale)])])
}

const f32Form: Form = (to, x, { sizes: [, K, N], codes }) => {
  const weights = Float32Array.from(transpose(codes, N, K), (code) => GAMMA * code)
  return to.apply('MatMul', [x, to.constant(weights, [K, N])])
}

const int8Form: Form = (to, x, { sizes: [, K, N], codes }) =>
  matmulInteger(to, quantise(to, x), transpose(codes, N, K), [K, N], GAMMA)

/** Inputs that share a scale; the largest that divides all K, and the fastest. */
const BLOCK = 128

/** Two bits a weight, 2 meaning zero, lowest bits first. Level 4: activations may be quantised to int8. */
const bits2Form: Form = (to, x, { sizes: [, K, N], codes }) => {
  const packed = new Uint8Array((N * K) / 4)
  codes.forEach((code, i) => (packed[i >> 2] |= (code + 2) << (2 * (i % 4))))
  const blocks = K / BLOCK
  const weights = to.constant(packed, [N, blocks, BLOCK / 4])
  const scales = to.constant(new Float32Array(N * blocks).fill(GAMMA), [N * blocks])
  const attributes = { K, N, bits: 2, block_size: BLOCK, accuracy_level: 4 }
  return to.apply('MatMulNBits', [x, weights, scales], attributes, MICROSOFT)
}

/** One number of the input, all over the output: a call with nothing to compute. */
const idleForm: Form = (to, x, { sizes: [M, , N] }) =>
  to.apply('Expand', [to.apply('Slice', [x, to.list([0, 0]), to.list([1, 1])]), to.list([M, N])])

const FORMS: Record<string, { make: Form; tolerance: number }> = {
  f32: { make: f32Form, tolerance: TOLERANCE.f32 },
  int8: { make: int8Form, tolerance: TOLERANCE.int8 },
  '2-bit': { make: bits2Form, tolerance: TOLERANCE.int8 },
}
