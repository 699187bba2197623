/**
 * Goldens of a training step: all losses, every gradient of the total and of the contrastive losses alone, metrics, the
 * optimiser by itself and the queue. Negatives are given, as the reference has no random numbers.
 */
import { Builder } from '../../src/graph/builder.ts'
import { visionTokens } from '../../src/model/fusion.ts'
import { parameters } from '../../src/model/init.ts'
import { objective, type Batch, type LossWeights } from '../../src/model/objective.ts'
import { enqueue } from '../../src/ops/enqueue.ts'
import { backward } from '../../src/plan/backward.ts'
import { nextTokens } from '../../src/train/feed.ts'
import { readScores } from '../../src/train/scores.ts'
import type { Engine } from './engine.ts'
import { goldenModel, type Golden, type Numbers } from './files.ts'
import { feedsOf, visibleKeys, type Kind } from './model.ts'
import { checkOptimiser, checkSchedule } from './optimiser.ts'
import { deviation, difference, oneMinusCosine, type Row } from './report.ts'

/** The card's weights. */
const CARD: LossWeights = { itc: 1, itm: 0.5, text: 0.5, memory: 0.1, imageContrast: 0 }

export function checkTrain(golden: Golden, weights: Golden, engine: Engine): Row[] {
  const kinds: Kind[] = ['float', 'ternary']
  const { imageContrast } = goldenModel(golden, true)
  const all = { ...CARD, imageContrast }
  return [
    ...kinds.flatMap((kind) => {
      const contrastive = step(golden, weights, engine, kind, { ...all, itm: 0, text: 0, memory: 0 })
      return checkGradients(golden, contrastive, `${kind}.contrastive`, kind)
    }),
    ...(golden.has('ternary.grad_norm')
      ? [
          ...kinds.flatMap((kind) => {
            const got = step(golden, weights, engine, kind, all)
            return [...checkLosses(golden, got, kind), ...checkGradients(golden, got, kind, kind)]
          }),
          ...checkOptimiser(golden, weights, engine),
        ]
      : []),
    ...checkSchedule(golden),
  ]
}

type Outputs = Record<string, Numbers>

/** One step with the given weights of the losses: the report, `grad.<parameter>`, and the queue behind it. */
function step(golden: Golden, weights: Golden, engine: Engine, kind: Kind, losses: LossWeights): Outputs {
  const { config, concepts, episode } = goldenModel(golden, kind === 'ternary')
  const b = new Builder(`train_${kind}`)
  const i32 = (name: string, shape: (number | string)[]) => b.input(name, shape, 'i32')
  const ids = i32('ids', ['B', 'T'])
  const imageIds = i32('image_id', ['B'])
  const [Q, C] = golden.shape('in.queue.text')
  const queue = {
    text: b.state('queue.text', [Q, C]),
    image: b.state('queue.image', [Q, C]),
    ids: b.state('queue.image_id', [Q], 'i32'),
    filled: b.state('queue.filled', [1], 'i32'),
    next: b.state('queue.next', [1], 'i32'),
    samples: null,
  }
  const batch: Batch = {
    ids,
    lengths: i32('lengths', ['B']),
    v: visionTokens(b, config, b.input('pixels', ['B', 3, config.image, config.image])),
    concepts: imageIds,
    negatives: { kind: 'given', text: i32('negative_text', ['B']), image: i32('negative_image', ['B']), extra: null },
    text: {
      ids,
      rows: i32('target_rows', ['R']),
      targets: i32('targets', ['R']),
      reads: b.input('use_memory', ['B']),
      visible: i32('visible', ['B']),
    },
  }
  const { total, report, textFeatures, imageFeatures } = objective(b, config, batch, {
    weights: losses,
    concepts,
    queue,
    episode,
    labelSmoothing: 0.1,
  })
  const wanted = parameters(b.graph)
  const gradients = backward(b, total, wanted)
  for (const [name, value] of report) b.output(name, value)
  for (const p of wanted) if (gradients.has(p.id)) b.output(`grad.${p.name}`, gradients.get(p.id)!)
  enqueue(b, queue, textFeatures, imageFeatures, imageIds, null)
  const [B, T] = golden.shape('in.ids')
  const next = nextTokens(Int32Array.from(golden.get('in.ids')), Int32Array.from(golden.get('in.lengths')), T)
  const feeds = {
    ...feedsOf(golden, weights),
    target_rows: next.rows,
    targets: next.targets,
    visible: visibleKeys(golden),
  }
  return engine.run(b.graph, feeds, { B, T, R: next.rows.length })
}

/** Losses, logits of matching, the norm of the gradient, metrics, and for the ternary model the queue. */
function checkLosses(golden: Golden, got: Outputs, kind: Kind): Row[] {
  const isFloat = kind === 'float'
  const losses = {
    itc: 'itc',
    itm: 'itm',
    text: 'text',
    memory: 'memory',
    image_contrast: 'imageContrast',
    total: 'loss',
  }
  const [B] = golden.shape('in.ids')
  const near = (name: string, ours: Numbers, tolerance: number): Row[] => {
    const quantity = `${kind}.${name}`
    return golden.has(quantity) ? [{ quantity, error: deviation(ours, golden.get(quantity)).max, tolerance }] : []
  }
  const gradients = Object.entries(got).flatMap(([name, data]) => (name.startsWith('grad.') ? Array.from(data) : []))
  const norm = Math.sqrt(gradients.reduce((sum, g) => sum + g * g, 0))
  const scores = readScores((name) => got[name], B)
  const metrics = {
    acc_t2i: scores.accT2i,
    acc_i2t: scores.accI2t,
    itm_acc: scores.itmAcc,
    itm_acc_balanced: scores.itmAccBalanced,
    perplexity: scores.perplexity,
    token_accuracy: scores.tokenAccuracy,
    memory_utilization: scores.memoryUtilization,
    memory_quality: scores.memoryQuality,
  }
  return [
    ...Object.entries(losses).flatMap(([name, ours]) => near(`loss.${name}`, got[ours] ?? [], isFloat ? 1e-5 : 3e-3)),
    ...near('itm.logits', got.match_logits, isFloat ? 1e-4 : 0.3),
    ...near('grad_norm', [norm], isFloat ? 1e-4 : 3e-3),
    ...Object.entries(metrics).flatMap(([name, ours]) => near(`metric.${name}`, [ours ?? NaN], isFloat ? 1e-4 : 2e-2)),
    ...(isFloat ? [] : checkQueue(golden, got, B)),
  ]
}

/** Gradients that the file has as `prefix.grad.<parameter>`. */
function checkGradients(golden: Golden, got: Outputs, group: string, kind: Kind): Row[] {
  const prefix = `${group}.grad.`
  const all = golden.names.flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []))
  const pairs = new Map(all.map((name) => [name, [got[`grad.${name}`] ?? [], golden.get(prefix + name)] as const]))
  const largest = (data: Numbers) => Array.from(data).reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  // Softmax is blind to key biases: their gradient is zero up to rounding and has no relative error.
  const isBlind = (name: string) => name.endsWith('.key.bias')
  const biases = all.filter((name) => name.startsWith('vision.encoder') && name.endsWith('bias') && !isBlind(name))
  const scale = Math.max(...biases.map((name) => largest(golden.get(prefix + name))))
  const rows: Row[] = all.filter(isBlind).map((name) => {
    return {
      quantity: `${prefix}${name} over the largest bias gradient`,
      error: largest(got[`grad.${name}`] ?? [NaN]) / scale,
      tolerance: 1e-5,
    }
  })
  for (const [name, [ours, want]] of pairs) {
    if (isBlind(name)) continue
    const { max, rms } = deviation(ours, want)
    if (kind === 'float') rows.push({ quantity: `${prefix}${name} max`, error: max, tolerance: 1e-3 })
    rows.push({ quantity: `${prefix}${name} rms`, error: rms, tolerance: kind === 'float' ? 3e-4 : 0.15 })
  }
  rows.push({ quantity: `${prefix}* 1 - cosine`, error: oneMinusCosine([...pairs.values()]), tolerance: 5e-5 })
  return rows
}

/** Rows that the batch did not write are identical; those that it wrote follow the tolerance of features. */
function checkQueue(golden: Golden, got: Outputs, B: number): Row[] {
  const [Q, C] = golden.shape('in.queue.text')
  const next = golden.get('in.queue.next')[0]
  const isWritten = (row: number) => (row - next + Q) % Q < B
  const rows = ['image_id', 'filled', 'next'].map((name) => {
    return {
      quantity: `ternary.queue.${name}`,
      error: difference(got[`state.queue.${name}`], golden.get(`ternary.queue.${name}`)),
      tolerance: 0,
    }
  })
  for (const side of ['text', 'image']) {
    const [ours, want] = [got[`state.queue.${side}`], golden.get(`ternary.queue.${side}`)]
    const part = (data: Numbers, written: boolean) =>
      Array.from(data).filter((_, i) => isWritten(Math.floor(i / C)) === written)
    const { max, rms } = deviation(part(ours, true), part(want, true))
    rows.push({
      quantity: `ternary.queue.${side} kept`,
      error: difference(part(ours, false), part(want, false)),
      tolerance: 0,
    })
    rows.push({ quantity: `ternary.queue.${side} written max`, error: max, tolerance: 0.3 })
    rows.push({ quantity: `ternary.queue.${side} written rms`, error: rms, tolerance: 3e-2 })
  }
  return rows
}
