/**
 * A whole image encode, pixels to unit-norm features, on the graph of the preset `tiny`: our plans beside the same graph
 * translated to ONNX. Weights are drawn at random from a fixed seed, since time does not depend on them.
 */
import type { Isa } from '../../src/abi.ts'
import { errorText, message } from '../../src/base/errors.ts'
import { size } from '../../src/base/shape.ts'
import { Stream, USE } from '../../src/base/rng.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { KERNELS } from '../../src/kernels.ts'
import { encodeImageGraph } from '../../src/model/bitgen.ts'
import { modelConfig, type ModelConfig } from '../../src/model/config.ts'
import { initialValue, parameters } from '../../src/model/init.ts'
import { lower } from '../../src/plan/lower.ts'
import { Executor } from '../../src/runtime/execute.ts'
import { loadKernels } from '../../src/runtime/load.ts'
import { TRAINING_KERNELS } from '../../src/training-kernels.ts'
import type { OnnxModel } from './onnx.ts'
import type { OnnxRuntime } from './onnxruntime.ts'
import type { LeftOut } from './products.ts'
import { interleaved, type Call, type RoundsEffort } from './rounds.ts'
import { translate } from './translate.ts'

export const OUTPUT = 'image_features'
export const SYMBOLS = { B: 1 }
/** Least cosine of features: another picture comes to 0.33, leaving attention out to 0.89. */
const LEAST_COSINE = 0.99

export interface EncodeRow {
  bench: 'encode'
  name: string
  /** Pixels handed over, encode, features read. */
  ms: number
  /** Cosine of the features with those of our deterministic kernels. */
  cosine: number
}

/** Initial values with noise on them: a fresh block is near the identity, which would hide a fault in it. */
export function randomValues(graph: Graph): Map<string, Float32Array> {
  const values = parameters(graph).map((parameter): [string, Float32Array] => {
    const stream = new Stream(2, 0, size(parameter.shape), USE.init)
    return [parameter.name!, initialValue(parameter, 1).map((value) => value + 0.1 * stream.normal())]
  })
  return new Map(values)
}

export function randomPixels({ image }: ModelConfig): Float32Array {
  const stream = new Stream(3, 0, 0, USE.init)
  return Float32Array.from({ length: 3 * image * image }, () => stream.normal())
}

/** Our encode on one instruction set; `deterministic` false allows relaxed_madd. */
async function ownEncoder(
  isa: Isa,
  graph: Graph,
  values: ReadonlyMap<string, Float32Array>,
  pixels: Float32Array,
  deterministic: boolean,
): Promise<Call> {
  const options = { symbols: SYMBOLS, deterministic }
  const prepare = lower(graph, { ...options, part: 'prepare' })
  // Model files come with weights that are prepared: inference has no kernels for it.
  const preparing = new Executor(await loadKernels({ sources: TRAINING_KERNELS, target: isa }), [prepare])
  for (const { name } of preparing.names('weight')) preparing.tensor(name!).set(values.get(name!)!)
  preparing.run(prepare.name)
  const prepared = new Map(prepare.outputs.map((name) => [name, preparing.io(prepare.name, name).slice()]))
  const run = lower(graph, { ...options, part: 'run' })
  const executor = new Executor(await loadKernels({ sources: KERNELS, target: isa }), [run])
  for (const { name } of executor.names('weight')) executor.tensor(name!).set(prepared.get(name!) ?? values.get(name!)!)
  return () => {
    executor.io(run.name, 'pixels', SYMBOLS).set(pixels)
    executor.run(run.name, SYMBOLS)
    return executor.io(run.name, OUTPUT, SYMBOLS).slice()
  }
}

async function onnxEncoder(
  runtime: OnnxRuntime,
  model: OnnxModel,
  pixels: Float32Array,
  { image }: ModelConfig,
): Promise<Call> {
  const run = await runtime.open(model, 'pixels', [1, 3, image, image])
  return async () => (await run(pixels))[OUTPUT].data
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i]
    aa += a[i] * a[i]
    bb += b[i] * b[i]
  }
  return dot / Math.sqrt(aa * bb)
}

/** An encoder with the cosine of its features with those of the first, which is ours. */
export interface Encoder {
  name: string
  call: Call
  cosine: number
}

/** All ways to encode one picture that come to the same features. */
export async function encoders(
  isas: readonly Isa[],
  onnx: readonly OnnxRuntime[],
  leftOut: LeftOut[],
): Promise<Encoder[]> {
  const config = modelConfig('tiny')
  const graph = encodeImageGraph(config)
  const values = randomValues(graph)
  const pixels = randomPixels(config)
  const makers: [name: string, make: () => Promise<Call>][] = []
  for (const isa of isas) {
    makers.push([`bitgen ${isa}`, () => ownEncoder(isa, graph, values, pixels, true)])
    if (isa !== 'relaxed') continue
    makers.push([`bitgen ${isa}, madd allowed`, () => ownEncoder(isa, graph, values, pixels, false)])
  }
  for (const runtime of onnx) {
    for (const linear of ['f32', 'int8'] as const) {
      const options = { symbols: SYMBOLS, values, linear, output: OUTPUT }
      makers.push([`${runtime.name} ${linear}`, () => onnxEncoder(runtime, translate(graph, options), pixels, config)])
    }
  }
  const found: Encoder[] = []
  let ours: ArrayLike<number> | undefined
  for (const [name, make] of makers) {
    const miss = (reason: string, differs: boolean) => leftOut.push({ at: 'encode', name, reason, differs })
    try {
      const call = await make()
      const features = (await call()) as ArrayLike<number>
      ours ??= features
      const near = cosine(features, ours)
      if (near >= LEAST_COSINE) found.push({ name, call, cosine: near })
      else miss(message('features', `must have a cosine from ${LEAST_COSINE}`, near), true)
    } catch (error) {
      miss(errorText(error), false)
    }
  }
  return found
}

export async function timeEncoders(found: readonly Encoder[], effort: RoundsEffort): Promise<EncodeRow[]> {
  const seconds = await interleaved(
    found.map(({ call }) => call),
    effort,
  )
  return found.map(({ name, cosine }, i) => ({ bench: 'encode', name, ms: 1000 * seconds[i], cosine }))
}

/** A figure asked for: the peer's time over ours. */
const FIGURES = [
  { ours: 'bitgen relaxed', peer: 'ONNX Runtime Web f32', atLeast: 2.2 },
  { ours: 'bitgen relaxed', peer: 'ONNX Runtime Web int8', atLeast: 1.3 },
  { ours: 'bitgen relaxed, madd allowed', peer: 'ONNX Runtime Web f32', atLeast: 3 },
]

/** The table, every row over each of ours, and the figures asked for. */
export function encodersText(rows: readonly EncodeRow[]): string {
  const own = rows.filter(({ name }) => name.startsWith('bitgen'))
  const lines = rows.map(({ name, ms, cosine }) => {
    const ratios = own.map((ours) => `${(ms / ours.ms).toFixed(2)} x`.padStart(10)).join('')
    return `  ${name.padEnd(30)}${ms.toFixed(2).padStart(9)} ms${ratios}  ${cosine.toFixed(5)}`
  })
  const of = (wanted: string) => rows.find(({ name }) => name === wanted)?.ms
  const figures = FIGURES.flatMap(({ ours, peer, atLeast }) => {
    const [mine, other] = [of(ours), of(peer)]
    return mine && other ? [`${ours} against ${peer}: ${(other / mine).toFixed(2)} x, ${atLeast} x asked`] : []
  })
  const head = `Image encode, preset tiny, one picture: time, over ${own.map(({ name }) => name).join('; ')}; cosine with the first`
  return [head, ...lines, ...figures].join('\n')
}
