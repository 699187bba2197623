/**
 * A training step as plans (model.md section 8): forward, losses, backward, clip, AdamW, queue. Without accumulation
 * it is one plan, `trainStep`; with it, `accumulate` runs for each micro-batch and `update` once behind them.
 */
import { log } from '../base/math.ts'
import { Builder } from '../graph/builder.ts'
import type { Graph, Value } from '../graph/graph.ts'
import type { ModelConfig } from '../model/config.ts'
import { encodeImage, visionTokens } from '../model/fusion.ts'
import { parameters } from '../model/init.ts'
import { contrastLosses, features, imageProjection, textProjection, type Queue } from '../model/losses.ts'
import { encodeText, TOKEN_TABLE } from '../model/text.ts'
import { accumulate, zero } from '../ops/accumulate.ts'
import { adamw, CONTROL_SIZE } from '../ops/adamw.ts'
import { clamp } from '../ops/clamp.ts'
import { markTouched } from '../ops/embedding.ts'
import { enqueue } from '../ops/enqueue.ts'
import { globalNorm } from '../ops/global_norm.ts'
import { retrievalAccuracy } from '../ops/retrieval_accuracy.ts'
import { backward } from '../plan/backward.ts'

export interface StepOptions {
  /** Positives are all keys of the same concept. */
  concepts: boolean
  imageContrast: number
  /** Rows of the queue; 0: none. */
  queue: number
  clip: number
  /** Micro-batches of a step. */
  accumulate: number
}

/** Bounds of the temperature, clamped after every step. */
const TEMPERATURE = [0.01, 1]

/** Parameters that weight decay leaves alone although they are matrices. */
const NO_DECAY = [
  TOKEN_TABLE,
  'text.pos_embedding.weight',
  'vision.embeddings.cls_token',
  'vision.embeddings.position_embeddings',
  'memory.prior_mean',
]

/** Whether weight decay falls on a parameter: on matrices only, not on tables of embeddings. */
export function decays({ name, shape }: Value): boolean {
  return shape.length > 1 && !NO_DECAY.includes(name!)
}

/** Factor on the learning rate of a parameter. */
export function rateFactor({ name }: Value): number {
  return name!.endsWith('.alpha') ? 5 : 1
}

/** Names of the optimiser's states of a parameter. */
export const momentNames = (name: string) => [`adam.m.${name}`, `adam.v.${name}`] as const

interface Forward {
  /** [B,C], unit rows. */
  textFeatures: Value
  imageFeatures: Value
  /** [B] i32: what each pair is of; equal ones are positives, or masked. */
  concepts: Value
  /** By the id of the parameter. */
  gradients: Map<number, Value>
  touched: Value | null
  queue: QueueStates | null
}

interface QueueStates extends Queue {
  next: Value
}

/** Forward, losses and gradients, with losses and accuracies as outputs. */
function forward(b: Builder, config: ModelConfig, options: StepOptions, sparse: boolean): Forward {
  const ids = b.input('ids', ['B', 'T'], 'i32')
  const lengths = b.input('lengths', ['B'], 'i32')
  const pixels = b.input('pixels', ['B', 3, config.image, config.image])
  const concepts = b.input('concepts', ['B'], 'i32')
  const touched = sparse ? markTouched(b, b.state('touched', [config.vocabulary], 'u8'), ids) : null
  const h = encodeText(b, config, ids, lengths, touched)
  const w = encodeImage(b, config, visionTokens(b, config, pixels))
  const textFeatures = features(b, textProjection(b, config, h, lengths))
  const imageFeatures = features(b, imageProjection(b, config, w))
  const queue = options.queue > 0 ? queueStates(b, config, options.queue) : null
  const losses = contrastLosses(b, textFeatures, imageFeatures, concepts, { ...options, queue })
  const gradients = backward(b, losses.total, parameters(b.graph))
  b.output('loss', losses.total)
  if (losses.imageContrast) {
    b.output('itc', losses.itc)
    b.output('image_contrast', losses.imageContrast)
  }
  b.output('acc_t2i', retrievalAccuracy(b, losses.t2i, concepts))
  b.output('acc_i2t', retrievalAccuracy(b, losses.i2t, concepts))
  return { textFeatures, imageFeatures, concepts, gradients, touched, queue }
}

function queueStates(b: Builder, config: ModelConfig, rows: number): QueueStates {
  return {
    text: b.state('queue.text', [rows, config.channels]),
    image: b.state('queue.image', [rows, config.channels]),
    ids: b.state('queue.ids', [rows], 'i32'),
    filled: b.state('queue.filled', [1], 'i32'),
    next: b.state('queue.next', [1], 'i32'),
  }
}

/** Clip and AdamW on every parameter that has a gradient, then the bounds of the temperature. */
function update(b: Builder, gradients: readonly [Value, Value][], touched: Value | null, clip: number): void {
  const control = b.input('control', [CONTROL_SIZE])
  const touchedOf = (p: Value) => (p.name === TOKEN_TABLE ? touched : null)
  const norm = globalNorm(
    b,
    gradients.map(([, g]) => g),
    gradients.map(([p]) => touchedOf(p)),
    clip,
  )
  b.output('norm', norm)
  for (const [p, g] of gradients) {
    const [m, v] = momentNames(p.name!).map((name) => b.state(name, p.shape))
    const next = adamw(b, p, g, m, v, control, norm, touchedOf(p), { decay: decays(p), rate: rateFactor(p) })
    if (p.name === 'itc.log_temperature') clamp(b, next, log(TEMPERATURE[0]), log(TEMPERATURE[1]))
  }
}

function pushToQueue(b: Builder, { queue, textFeatures, imageFeatures, concepts }: Forward): void {
  if (queue) enqueue(b, queue, textFeatures, imageFeatures, concepts)
}

/** Parameters with their gradients; those that the loss does not depend on are left out. */
function withGradients(graph: Graph, gradients: Map<number, Value>): [Value, Value][] {
  return parameters(graph).flatMap((p): [Value, Value][] => (gradients.has(p.id) ? [[p, gradients.get(p.id)!]] : []))
}

/**
 * The graphs of training, in the order in which a step runs them.
 * inputs  pixels [B,3,S,S], ids [B,T], lengths [B], concepts [B], control (ops/adamw.ts)
 * outputs loss, itc and image_contrast (if there is an image contrast), acc_t2i, acc_i2t [1], norm [2]
 */
export function trainGraphs(config: ModelConfig, options: StepOptions): Graph[] {
  if (options.accumulate === 1) {
    const b = new Builder('trainStep')
    const result = forward(b, config, options, true)
    update(b, withGradients(b.graph, result.gradients), result.touched, options.clip)
    pushToQueue(b, result)
    return [b.graph]
  }
  const micro = new Builder('accumulate')
  // Rows of the vocabulary that only a later micro-batch reaches need a sum from the first on: gradients are dense here.
  const result = forward(micro, config, options, false)
  const sums = withGradients(micro.graph, result.gradients)
  for (const [p, g] of sums) accumulate(micro, micro.state(`sum.${p.name}`, p.shape), g, 1 / options.accumulate)
  pushToQueue(micro, result)
  const b = new Builder('update')
  const last = sums.map(([p]): [Value, Value] => [b.parameter(p.name!, p.shape), b.state(`sum.${p.name}`, p.shape)])
  update(b, last, null, options.clip)
  for (const [, sum] of last) zero(b, sum)
  return [micro.graph, b.graph]
}
