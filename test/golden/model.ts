/**
 * Goldens of the model: the unimodal forward pass, its blocks one by one, the contrastive half of a training step,
 * the optimiser and the queue. Each in the ternary model and in its float twin (every ternary linear an ordinary one),
 * because a last-bit difference becomes a whole step of a code now and then.
 */
import { Builder } from '../../src/graph/builder.ts'
import type { Value } from '../../src/graph/graph.ts'
import { encodeImage, visionTokens } from '../../src/model/fusion.ts'
import { block } from '../../src/model/layers.ts'
import { contrastLosses, features, imageProjection, textProjection } from '../../src/model/losses.ts'
import { encodeText } from '../../src/model/text.ts'
import { enqueue } from '../../src/ops/enqueue.ts'
import { backward } from '../../src/plan/backward.ts'
import type { Engine, Feeds } from './engine.ts'
import { goldenModel, type Golden, type GoldenModel, type Numbers } from './files.ts'
import { checkOptimiser, checkSchedule } from './optimiser.ts'
import { deviation, difference, oneMinusCosine, type Row } from './report.ts'

type Kind = 'float' | 'ternary'

/** Values of all inputs and parameters of a graph that the files have. */
function feedsOf(golden: Golden, weights: Golden): Feeds {
  const feeds: Feeds = {}
  for (const name of weights.names) feeds[name] = weights.get(name)
  for (const name of golden.names) if (name.startsWith('in.')) feeds[name.slice(3)] = golden.get(name)
  return feeds
}

interface Inputs {
  ids: Value
  lengths: Value
  pixels: Value
}

function inputs(b: Builder, { config }: GoldenModel): Inputs {
  return {
    ids: b.input('ids', ['B', 'T'], 'i32'),
    lengths: b.input('lengths', ['B'], 'i32'),
    pixels: b.input('pixels', ['B', 3, config.image, config.image]),
  }
}

/** Both encoders; intermediate states by the names of the goldens. */
function encoders(b: Builder, { config }: GoldenModel, { ids, lengths, pixels }: Inputs): Map<string, Value> {
  const states = new Map<string, Value>()
  const trace = (name: string, value: Value) => void states.set(name, value)
  const v = visionTokens(b, config, pixels, trace)
  const h = encodeText(b, config, ids, lengths, null, trace)
  const w = encodeImage(b, config, v, trace)
  trace('vision.tokens', v)
  trace('unimodal.text', h)
  trace('unimodal.image', w)
  trace('feature.text', features(b, textProjection(b, config, h, lengths)))
  trace('feature.image', features(b, imageProjection(b, config, w)))
  return states
}

/** Numbers of the real tokens of text states [B,T,C]; of images all. */
function real(name: string, data: Numbers, shape: readonly number[], lengths: Numbers): Numbers {
  if (!name.includes('.text') || shape.length !== 3) return data
  const [, T, C] = shape
  return Array.from(data).filter((_, i) => Math.floor(i / C) % T < lengths[Math.floor(i / (T * C))])
}

/** Maps of the stem are [B,C,h,w] in the reference; here positions are rows, [B,h*w,C]. */
function channelsFirst(data: Numbers, [B, C, h, w]: readonly number[]): Numbers {
  const P = h * w
  return Float64Array.from({ length: B * C * P }, (_, i) => {
    const [batch, channel, at] = [Math.floor(i / (C * P)), Math.floor(i / P) % C, i % P]
    return data[(batch * P + at) * C + channel]
  })
}

export function checkForward(golden: Golden, weights: Golden, engine: Engine): Row[] {
  const feeds = feedsOf(golden, weights)
  const lengths = golden.get('in.lengths')
  const [B, T] = golden.shape('in.ids')
  const kinds: Kind[] = ['float', 'ternary']
  return kinds.flatMap((kind): Row[] => {
    const b = new Builder(`forward_${kind}`)
    const model = goldenModel(golden, kind === 'ternary')
    const states = encoders(b, model, inputs(b, model))
    const names = [...states.keys()].filter((name) => golden.has(`${kind}.${name}`))
    for (const name of names) b.output(name, states.get(name)!)
    const got = engine.run(b.graph, feeds, { B, T })
    const whole = names.flatMap((name): Row[] => {
      const shape = golden.shape(`${kind}.${name}`)
      const ours = shape.length === 4 ? channelsFirst(got[name], shape) : got[name]
      const want = real(name, golden.get(`${kind}.${name}`), shape, lengths)
      const { max, rms } = deviation(real(name, ours, shape, lengths), want)
      const quantity = `${kind}.${name}`
      if (kind === 'float') return [{ quantity, error: max, tolerance: 1e-4 }]
      return [
        { quantity: `${quantity} max`, error: max, tolerance: 0.3 },
        { quantity: `${quantity} rms`, error: rms, tolerance: 3e-2 },
      ]
    })
    return kind === 'float' ? whole : [...whole, ...checkBlocks(golden, feeds, engine)]
  })
}

/** Every ternary block of text and image from the stored state before it. */
function checkBlocks(golden: Golden, feeds: Feeds, engine: Engine): Row[] {
  const { config } = goldenModel(golden, true)
  const text = Array.from({ length: config.textLayers - 1 }, (_, i) => {
    return [`text.blocks.${i + 1}`, `unimodal.text.${i}`, `unimodal.text.${i + 1}`]
  })
  const image = Array.from({ length: config.fusionLayers }, (_, j) => {
    return [`fusion.blocks.${j}`, j === 0 ? 'vision.tokens' : `unimodal.image.${j - 1}`, `unimodal.image.${j}`]
  })
  return [...text, ...image].flatMap(([name, before, after]): Row[] => {
    const b = new Builder(name)
    const shape = golden.shape(`ternary.${before}`)
    const lengths = name.startsWith('text') ? b.input('lengths', [shape[0]], 'i32') : null
    b.output('after', block(b, name, config, b.input('before', shape), lengths))
    const got = engine.run(b.graph, { ...feeds, before: golden.get(`ternary.${before}`) })
    const only = (data: Numbers) => real(after, data, shape, golden.get('in.lengths'))
    const { max, rms } = deviation(only(got.after), only(golden.get(`ternary.${after}`)))
    return [
      { quantity: `ternary.${after} from ${before} max`, error: max, tolerance: 3e-2 },
      { quantity: `ternary.${after} from ${before} rms`, error: rms, tolerance: 2e-3 },
    ]
  })
}

export function checkTrain(golden: Golden, weights: Golden, engine: Engine): Row[] {
  const kinds: Kind[] = ['float', 'ternary']
  return [
    ...kinds.flatMap((kind) => checkContrastive(golden, weights, engine, kind)),
    ...(golden.has('ternary.grad_norm') ? checkOptimiser(golden, weights, engine) : []),
    ...checkSchedule(golden),
  ]
}

/** Contrastive losses with the queue, their gradients, and the queue after the step. */
function checkContrastive(golden: Golden, weights: Golden, engine: Engine, kind: Kind): Row[] {
  const model = goldenModel(golden, kind === 'ternary')
  const b = new Builder(`train_${kind}`)
  const states = encoders(b, model, inputs(b, model))
  const [t, i] = [states.get('feature.text')!, states.get('feature.image')!]
  const ids = b.input('image_id', ['B'], 'i32')
  const [Q, C] = golden.shape('in.queue.text')
  const queue = {
    text: b.state('queue.text', [Q, C]),
    image: b.state('queue.image', [Q, C]),
    ids: b.state('queue.image_id', [Q], 'i32'),
    filled: b.state('queue.filled', [1], 'i32'),
    next: b.state('queue.next', [1], 'i32'),
  }
  const losses = contrastLosses(b, t, i, ids, { ...model, queue })
  const wanted = b.graph.values.filter(({ role }) => role === 'parameter')
  const gradients = backward(b, losses.total, wanted)
  b.output('itc', losses.itc)
  if (losses.imageContrast) b.output('image_contrast', losses.imageContrast)
  for (const p of wanted) if (gradients.has(p.id)) b.output(`grad.${p.name}`, gradients.get(p.id)!)
  enqueue(b, queue, t, i, ids)
  const [B, T] = golden.shape('in.ids')
  const got = engine.run(b.graph, feedsOf(golden, weights), { B, T })

  const rows = ['itc', 'image_contrast'].flatMap((name): Row[] => {
    const quantity = `${kind}.loss.${name}`
    if (!golden.has(quantity)) return []
    return [
      {
        quantity,
        error: deviation(got[name] ?? [], golden.get(quantity)).max,
        tolerance: kind === 'float' ? 1e-5 : 3e-3,
      },
    ]
  })
  rows.push(...checkGradients(golden, got, kind))
  if (kind === 'ternary') rows.push(...checkQueue(golden, got, B))
  return rows
}

function checkGradients(golden: Golden, got: Record<string, Numbers>, kind: Kind): Row[] {
  const prefix = `${kind}.contrastive.grad.`
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
function checkQueue(golden: Golden, got: Record<string, Numbers>, B: number): Row[] {
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
