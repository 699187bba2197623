/**
 * A training step as plans (model.md section 8): forward, losses, backward, clip, AdamW, queue. Without accumulation
 * it is one plan, `trainStep`; with it, `accumulate` runs for each micro-batch and `update` once behind them.
 */
import { log } from '../base/math.ts'
import type { Dim } from '../base/shape.ts'
import { Builder } from '../graph/builder.ts'
import type { Graph, Value } from '../graph/graph.ts'
import { patches, type ModelConfig } from '../model/config.ts'
import { projectTower, visionTokens } from '../model/fusion.ts'
import { MEMORY_PRIOR } from '../model/heads.ts'
import { parameters } from '../model/init.ts'
import { logTemperature } from '../model/losses.ts'
import { objective, unimodal, type Batch, type LossWeights, type Objective } from '../model/objective.ts'
import { TOKEN_TABLE } from '../model/text.ts'
import { accumulate, zero } from '../ops/accumulate.ts'
import { adamw, CONTROL_SIZE } from '../ops/adamw.ts'
import { clamp } from '../ops/clamp.ts'
import { drawNegatives } from '../ops/draw_negatives.ts'
import { markTouched } from '../ops/embedding.ts'
import { enqueue, type QueueState } from '../ops/enqueue.ts'
import { globalNorm } from '../ops/global_norm.ts'
import { matmul } from '../ops/matmul.ts'
import { scaleBy } from '../ops/scale_by.ts'
import { backward } from '../plan/backward.ts'

export interface StepOptions {
  losses: LossWeights
  /** Positives are all keys of the same concept. */
  concepts: boolean
  /** Rows of the queue; 0: none. */
  queue: number
  /** Where negatives of matching come from: drawn within the step, or given to it, with samples made again. */
  negatives: 'batch' | 'queue'
  /** Codes of an episode of the memory. */
  episode: number
  labelSmoothing: number
  /** Beginnings of the names of parameters that stay as they are. */
  freeze: readonly string[]
  /** Pictures come as what the (frozen) vision tower made of them: input `tower` [B,1+P,hidden] instead of `pixels`. */
  cachedTower: boolean
  clip: number
  /** Share of the steps after which matching, text and memory join the contrast. */
  joinAt: number
  /** Micro-batches of a step. */
  accumulate: number
}

/** Name of the plan of drawGraph. */
export const DRAW_PLAN = 'drawNegatives'

/** Bounds of the temperature, clamped after every step. */
const TEMPERATURE = [0.01, 1]

/** Parameters that weight decay leaves alone although they are matrices. */
const NO_DECAY = [
  TOKEN_TABLE,
  'text.pos_embedding.weight',
  'vision.embeddings.cls_token',
  'vision.embeddings.position_embeddings',
  MEMORY_PRIOR,
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

interface Forward extends Objective {
  /** [B] i32: what each pair is of; equal ones are positives, or masked. */
  concepts: Value
  /** By the id of the parameter. */
  gradients: Map<number, Value>
  touched: Value | null
  queue: QueueState | null
  /** [B] i32: what the queue keeps of each sample. */
  samples: Value | null
}

/** The inputs that stand for the samples of a batch of `rows`: ids, lengths, vision tokens. */
function samples(
  b: Builder,
  config: ModelConfig,
  { cachedTower }: Pick<StepOptions, 'cachedTower'>,
  rows: Dim,
  prefix = '',
): Pick<Batch, 'ids' | 'lengths' | 'v'> {
  const tower = () => b.input(`${prefix}tower`, [rows, 1 + patches(config), config.vision.hidden])
  const pixels = () => b.input(`${prefix}pixels`, [rows, 3, config.image, config.image])
  return {
    ids: b.input(`${prefix}ids`, [rows, 'T'], 'i32'),
    lengths: b.input(`${prefix}lengths`, [rows], 'i32'),
    v: cachedTower ? projectTower(b, config, tower()) : visionTokens(b, config, pixels()),
  }
}

/** The batch of a step as inputs. Numbers of samples and targets are symbols: B, X made again, R targets. */
function batchInputs(b: Builder, config: ModelConfig, options: Pick<StepOptions, 'negatives' | 'cachedTower'>): Batch {
  const given = options.negatives === 'queue'
  const [dtype, prefix] = given ? (['i32', 'negative'] as const) : (['f32', 'draw'] as const)
  const pair = { text: b.input(`${prefix}_text`, ['B'], dtype), image: b.input(`${prefix}_image`, ['B'], dtype) }
  return {
    ...samples(b, config, options, 'B'),
    concepts: b.input('concepts', ['B'], 'i32'),
    negatives: given
      ? { kind: 'given', ...pair, extra: { ...samples(b, config, options, 'X', 'extra_'), rows: 'S' } }
      : { kind: 'drawn', ...pair, hardness: b.input('hardness', [1]) },
    text: {
      ids: b.input('target_ids', ['B', 'T'], 'i32'),
      rows: b.input('target_rows', ['R'], 'i32'),
      targets: b.input('targets', ['R'], 'i32'),
      reads: b.input('reads', ['B']),
      visible: b.input('visible', ['B'], 'i32'),
    },
  }
}

/** Forward, losses and gradients, with losses and what metrics need as outputs. */
function forward(b: Builder, config: ModelConfig, options: StepOptions): Forward {
  const batch = batchInputs(b, config, options)
  // A text loss reaches every row of the table; rows that only a later micro-batch reaches need a sum from the first on.
  const sparse = options.losses.text === 0 && options.accumulate === 1
  const touched = sparse ? markTouched(b, b.state('touched', [config.vocabulary], 'u8'), batch.ids) : null
  const queue = options.queue > 0 ? queueStates(b, config, options) : null
  const result = objective(b, config, batch, { ...options, weights: options.losses, queue }, touched)
  const trained = parameters(b.graph).filter(({ name }) => !options.freeze.some((start) => name!.startsWith(start)))
  const gradients = backward(b, result.total, trained)
  for (const [name, value] of result.report) b.output(name, value)
  const kept = queue?.samples ? b.input('samples', ['B'], 'i32') : null
  return { ...result, concepts: batch.concepts, gradients, touched, queue, samples: kept }
}

/** The objective alone, for validation: the report of a batch as outputs. */
export function validateGraph(config: ModelConfig, options: StepOptions): Graph {
  const b = new Builder('validate')
  const batch = batchInputs(b, config, { negatives: 'batch', cachedTower: false })
  const { report } = objective(b, config, batch, { ...options, weights: options.losses, queue: null })
  for (const [name, value] of report) b.output(name, value)
  return b.graph
}

/**
 * Which pairs of a batch do not match, drawn before the step over batch and queue, so that the host can make samples of
 * the queue again: text_rows, image_rows [B] i32 as ops/draw_negatives.ts has them, and the same draws over the batch
 * alone, text_rows_batch and image_rows_batch.
 */
export function drawGraph(config: ModelConfig, options: StepOptions): Graph {
  const b = new Builder(DRAW_PLAN)
  const { textFeatures: t, imageFeatures: i } = unimodal(b, config, samples(b, config, options, 'B'))
  const concepts = b.input('concepts', ['B'], 'i32')
  const { text, image, ids, filled } = queueStates(b, config, options)
  const logT = logTemperature(b)
  const hardness = b.input('hardness', [1])
  for (const [side, own, others, keys] of [
    ['text', i, t, text],
    ['image', t, i, image],
  ] as const) {
    const draws = b.input(`draw_${side}`, ['B'])
    const scaled = (gallery: Value) => scaleBy(b, matmul(b, own, gallery), hardness)
    const [scores, queueScores] = [scaled(others), scaled(keys)]
    b.output(`${side}_rows`, drawNegatives(b, scores, queueScores, logT, concepts, ids, filled, draws))
    b.output(`${side}_rows_batch`, drawNegatives(b, scores, null, logT, concepts, null, null, draws))
  }
  return b.graph
}

function queueStates(b: Builder, config: ModelConfig, options: Pick<StepOptions, 'queue' | 'negatives'>): QueueState {
  const rows = options.queue
  return {
    text: b.state('queue.text', [rows, config.channels]),
    image: b.state('queue.image', [rows, config.channels]),
    ids: b.state('queue.ids', [rows], 'i32'),
    samples: options.negatives === 'queue' ? b.state('queue.samples', [rows], 'i32') : null,
    filled: b.state('queue.filled', [1], 'i32'),
    next: b.state('queue.next', [1], 'i32'),
  }
}

/** Clip and AdamW on every parameter that has a gradient, then the bounds of the temperature. */
function update(
  b: Builder,
  gradients: readonly [Value, Value][],
  touched: Value | null,
  clip: number,
  joined: (p: Value) => boolean,
): void {
  const controlOf = (p: Value) => b.input(joined(p) ? 'joined_control' : 'control', [CONTROL_SIZE])
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
    const next = adamw(b, p, g, m, v, controlOf(p), norm, touchedOf(p), { decay: decays(p), rate: rateFactor(p) })
    if (p.name === 'itc.log_temperature') clamp(b, next, log(TEMPERATURE[0]), log(TEMPERATURE[1]))
  }
}

function pushToQueue(b: Builder, { queue, textFeatures, imageFeatures, concepts, samples }: Forward): void {
  if (queue) enqueue(b, queue, textFeatures, imageFeatures, concepts, samples)
}

/** Parameters with their gradients; those that the loss does not depend on are left out. */
function withGradients(graph: Graph, gradients: Map<number, Value>): [Value, Value][] {
  return parameters(graph).flatMap((p): [Value, Value][] => (gradients.has(p.id) ? [[p, gradients.get(p.id)!]] : []))
}

/** The losses that a stage of a run has. */
export interface Stage {
  /** Put before the names of its plans. */
  prefix: string
  losses: LossWeights
}

/** Stages of a run: the contrast alone first, where the other losses join it later. */
export function stagesOf(losses: LossWeights, joinAt: number): Stage[] {
  const whole = { prefix: '', losses }
  return joinAt > 0 ? [{ prefix: 'contrast.', losses: { ...losses, itm: 0, text: 0, memory: 0 } }, whole] : [whole]
}

/**
 * The graphs of a stage, in the order in which a step runs them.
 * inputs  pixels [B,3,S,S] (or tower [B,1+P,hidden]), ids [B,T], lengths [B], concepts [B]; where the losses need them
 *         draw_text and draw_image [B] and hardness [1] (with negatives of the queue negative_text, negative_image [B],
 *         and extra_* of X samples), target_ids [B,T], target_rows and targets [R], reads and visible [B]; samples [B]
 *         where the queue keeps them; control (ops/adamw.ts), and joined_control for parameters that joined late
 * outputs the losses that have a weight and what metrics need of them (objective.ts), norm [2]
 */
export function trainGraphs(config: ModelConfig, options: StepOptions, { prefix, losses }: Stage): Graph[] {
  const ofStage = { ...options, losses }
  const joined = joinedLate(config, options)
  if (options.accumulate === 1) {
    const b = new Builder(`${prefix}trainStep`)
    const result = forward(b, config, ofStage)
    update(b, withGradients(b.graph, result.gradients), result.touched, options.clip, joined)
    pushToQueue(b, result)
    return [b.graph]
  }
  const micro = new Builder(`${prefix}accumulate`)
  const result = forward(micro, config, ofStage)
  const sums = withGradients(micro.graph, result.gradients)
  for (const [p, g] of sums) accumulate(micro, micro.state(`sum.${p.name}`, p.shape), g, 1 / options.accumulate)
  pushToQueue(micro, result)
  const b = new Builder(`${prefix}update`)
  const last = sums.map(([p]): [Value, Value] => [b.parameter(p.name!, p.shape), b.state(`sum.${p.name}`, p.shape)])
  update(b, last, null, options.clip, joined)
  for (const [, sum] of last) zero(b, sum)
  return [micro.graph, b.graph]
}

/** Whether a parameter is one that only losses reach which join later: its moments begin then. */
function joinedLate(config: ModelConfig, options: StepOptions): (p: Value) => boolean {
  const stages = stagesOf(options.losses, options.joinAt)
  if (stages.length === 1) return () => false
  const b = new Builder('contrast')
  const { gradients } = forward(b, config, { ...options, losses: stages[0].losses })
  const reached = new Set(withGradients(b.graph, gradients).map(([p]) => p.name))
  return ({ name }) => !reached.has(name)
}
