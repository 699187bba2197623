/**
 * Goldens of the forward pass: both encoders, alone and fused, heads, memory and decoder, and every block from its
 * stored input. Each in the ternary model and in its float twin (every ternary linear an ordinary one), because a
 * last-bit difference becomes a whole step of a code now and then.
 */
import { Builder } from '../../src/graph/builder.ts'
import type { Value } from '../../src/graph/graph.ts'
import { patches } from '../../src/model/config.ts'
import { decode } from '../../src/model/decoder.ts'
import { encodeFused, encodeImage, visionTokens } from '../../src/model/fusion.ts'
import { matchLogits, memoryCode, memoryPrior, poolFused } from '../../src/model/heads.ts'
import { block, type States } from '../../src/model/layers.ts'
import { features, imageProjection, textProjection } from '../../src/model/losses.ts'
import { embedText, encodePrefix, encodeText, firstFused, tokenTable } from '../../src/model/text.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { memoryEpisodes } from '../../src/ops/memory_episodes.ts'
import { scaleRows } from '../../src/ops/scale_rows.ts'
import type { Engine, Feeds } from './engine.ts'
import { goldenModel, type Golden, type GoldenModel, type Numbers } from './files.ts'
import { deviation, type Row } from './report.ts'

export type Kind = 'float' | 'ternary'

/** Values of all inputs and parameters of a graph that the files have. */
export function feedsOf(golden: Golden, weights: Golden): Feeds {
  const feeds: Feeds = {}
  for (const name of weights.names) feeds[name] = weights.get(name)
  for (const name of golden.names) if (name.startsWith('in.')) feeds[name.slice(3)] = golden.get(name)
  return feeds
}

/** Keys of the decoder's cross-attention that each sample sees: the slot of the memory comes last. */
export function visibleKeys(golden: Golden): number[] {
  const { config } = goldenModel(golden, true)
  return Array.from(golden.get('in.use_memory'), (use) => 1 + patches(config) + use)
}

/** Every state of the forward pass by the names of the goldens. */
function forwardStates(b: Builder, { config, episode }: GoldenModel): Map<string, Value> {
  const states = new Map<string, Value>()
  const trace = (name: string, value: Value) => void states.set(name, value)
  const ids = b.input('ids', ['B', 'T'], 'i32')
  const lengths = b.input('lengths', ['B'], 'i32')
  const v = visionTokens(b, config, b.input('pixels', ['B', 3, config.image, config.image]), trace)
  const embedded = embedText(b, config, ids, null)
  const prefix = encodePrefix(b, config, { x: embedded, lengths }, trace)
  const h = encodeText(b, config, prefix, trace)
  const w = encodeImage(b, config, v, trace)
  trace('vision.tokens', v)
  trace('unimodal.text', h)
  trace('unimodal.image', w)
  trace('feature.text', features(b, textProjection(b, config, h, lengths)))
  trace('feature.image', features(b, imageProjection(b, config, w)))
  // Blocks before the first fused one are the same in both modes.
  for (let i = 0; i < firstFused(config); i++) trace(`fused.text.${i}`, states.get(`unimodal.text.${i}`)!)
  const fused = encodeFused(b, config, prefix, v, trace)
  trace('fused.text', fused.h)
  trace('fused.image', fused.w)
  const pooled = poolFused(b, fused)
  trace('itm.logits', matchLogits(b, config, pooled, null))
  const code = memoryCode(b, config, pooled)
  const memory = memoryEpisodes(b, code, memoryPrior(b, config), episode)
  trace('memory.code', code)
  trace('memory.read', memory.read)
  trace('memory.kl', memory.kl)
  trace('memory.kl_address', memory.klAddress)
  trace('kl_memory of each code', memory.klMemory)
  const read = scaleRows(b, memory.read, b.input('use_memory', ['B']))
  const decoded = decode(b, config, embedded, w, read, b.input('visible', ['B'], 'i32'), trace)
  trace('decoder.logits', matmul(b, decoded, tokenTable(b, config)))
  return states
}

/** Numbers of the real tokens of text states [B,T,C]; of images all. */
function real(name: string, data: Numbers, shape: readonly number[], lengths: Numbers): Numbers {
  if (!/\.text|decoder/.test(name) || shape.length !== 3) return data
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
  const feeds = { ...feedsOf(golden, weights), visible: visibleKeys(golden) }
  const lengths = golden.get('in.lengths')
  const [B, T] = golden.shape('in.ids')
  const kinds: Kind[] = ['float', 'ternary']
  return kinds.flatMap((kind): Row[] => {
    const b = new Builder(`forward_${kind}`)
    const model = goldenModel(golden, kind === 'ternary')
    const states = forwardStates(b, model)
    const names = [...states.keys()].filter((name) => golden.has(`${kind}.${name}`))
    // Blocks before the fused ones are the same in both modes: one value, one output.
    const outputs = new Map(names.map((name) => [states.get(name)!, name]))
    for (const [value, name] of outputs) b.output(name, value)
    const results = engine.run(b.graph, feeds, { B, T })
    const got = Object.fromEntries(names.map((name) => [name, results[outputs.get(states.get(name)!)!]]))
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

/** A block of the goldens: the names of its parameters, of the states before and after it, and of the other modality's. */
interface StoredBlock {
  name: string
  before: string
  after: string
  other?: string
}

/** Every ternary block of text and image, alone and fused, whose input is stored. */
function storedBlocks(golden: Golden): StoredBlock[] {
  const { config } = goldenModel(golden, true)
  const first = firstFused(config)
  const image = (mode: string, j: number) => (j < 0 ? 'vision.tokens' : `${mode}.image.${j}`)
  const text = Array.from({ length: config.textLayers - 1 }, (_, i): StoredBlock => {
    return { name: `text.blocks.${i + 1}`, before: `unimodal.text.${i}`, after: `unimodal.text.${i + 1}` }
  })
  const pairs = Array.from({ length: config.fusionLayers }, (_, j): StoredBlock[] => {
    const [x, v] = [`fused.text.${first + j - 1}`, image('fused', j - 1)]
    return [
      { name: `fusion.blocks.${j}`, before: image('unimodal', j - 1), after: `unimodal.image.${j}` },
      { name: `fusion.blocks.${j}`, before: v, after: `fused.image.${j}`, other: x },
      { name: `text.blocks.${first + j}`, before: x, after: `fused.text.${first + j}`, other: v },
    ]
  })
  return [...text, ...pairs.flat()]
}

/** Every ternary block from the stored state before it. */
function checkBlocks(golden: Golden, feeds: Feeds, engine: Engine): Row[] {
  const { config } = goldenModel(golden, true)
  return storedBlocks(golden).flatMap(({ name, before, after, other }): Row[] => {
    const b = new Builder(name)
    const stored: Feeds = {}
    const states = (input: string, from: string): States => {
      const shape = golden.shape(`ternary.${from}`)
      stored[input] = golden.get(`ternary.${from}`)
      const lengths = from.includes('.text') ? b.input('lengths', [shape[0]], 'i32') : null
      return { x: b.input(input, shape), lengths }
    }
    const own = states('before', before)
    b.output('after', block(b, name, config, own, other === undefined ? undefined : states('other', other)))
    const got = engine.run(b.graph, { ...feeds, ...stored })
    const shape = golden.shape(`ternary.${after}`)
    const only = (data: Numbers) => real(after, data, shape, golden.get('in.lengths'))
    const { max, rms } = deviation(only(got.after), only(golden.get(`ternary.${after}`)))
    return [
      { quantity: `ternary.${after} from ${before} max`, error: max, tolerance: 3e-2 },
      { quantity: `ternary.${after} from ${before} rms`, error: rms, tolerance: 2e-3 },
    ]
  })
}
