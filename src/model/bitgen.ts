/**
 * The entry points of inference as graphs. They are lowered at export and travel in the model file; the trainer lowers
 * some too, on the weights that it is training. What one entry point gives, another takes: the host carries it over.
 */
import { Builder } from '../graph/builder.ts'
import type { Dim } from '../base/shape.ts'
import type { Graph, Value } from '../graph/graph.ts'
import { matmul } from '../ops/matmul.ts'
import { reshape } from '../ops/reshape.ts'
import { patches, type ModelConfig } from './config.ts'
import { decodeToken, imageKeys, type Past } from './decoder.ts'
import { encodeFused, encodeImage, visionTokens } from './fusion.ts'
import { matchLogits, memoryCode, poolFused } from './heads.ts'
import { features, imageProjection, textProjection } from './losses.ts'
import { embedText, encodePrefix, encodeText, tokenTable } from './text.ts'

/**
 * pixels [B,3,S,S] f32, normalised -> image_projection and image_features [B,C], vision_tokens v and image_states w
 * [B,1+P,C].
 */
export function encodeImageGraph(config: ModelConfig): Graph {
  const b = new Builder('encodeImage')
  const pixels = b.input('pixels', ['B', 3, config.image, config.image])
  const v = visionTokens(b, config, pixels)
  const w = encodeImage(b, config, v)
  const projection = imageProjection(b, config, w)
  b.output('image_projection', projection)
  b.output('image_features', features(b, projection))
  b.output('vision_tokens', v)
  b.output('image_states', w)
  return b.graph
}

/**
 * ids [B,T] i32, lengths [B] i32 -> embeddings h and text_prefix (states before the blocks that can be fused) [B,T,C],
 * text_projection and text_features [B,C].
 */
export function encodeTextGraph(config: ModelConfig): Graph {
  const b = new Builder('encodeText')
  const ids = b.input('ids', ['B', 'T'], 'i32')
  const lengths = b.input('lengths', ['B'], 'i32')
  const prefix = encodePrefix(b, config, { x: embedText(b, config, ids, null), lengths })
  const h = encodeText(b, config, prefix)
  const projection = textProjection(b, config, h, lengths)
  b.output('embeddings', h)
  b.output('text_prefix', prefix.x)
  b.output('text_projection', projection)
  b.output('text_features', features(b, projection))
  return b.graph
}

/**
 * Pairs of text and image: text_prefix [B,T,C] and lengths [B] of encodeText, vision_tokens [B,1+P,C] of encodeImage,
 * with `matchSimilarity` text_features and image_features [B,C] too
 * -> embeddings [B,T,C] fused, match_logits [B,2] (class 1: a match), code [B,C] of the episodic memory.
 */
export function fuseGraph(config: ModelConfig): Graph {
  const { channels } = config
  const b = new Builder('fuse')
  const prefix = { x: b.input('text_prefix', ['B', 'T', channels]), lengths: b.input('lengths', ['B'], 'i32') }
  const fused = encodeFused(b, config, prefix, b.input('vision_tokens', ['B', 1 + patches(config), channels]))
  const pooled = poolFused(b, fused)
  const features = config.matchSimilarity
    ? { text: b.input('text_features', ['B', channels]), image: b.input('image_features', ['B', channels]) }
    : null
  b.output('embeddings', fused.h)
  b.output('match_logits', matchLogits(b, config, pooled, features))
  b.output('code', memoryCode(b, config, pooled))
  return b.graph
}

/** Keys and values of decoder block `i` as inputs or outputs: of the picture, of the tokens so far, of the new one. */
type Role = 'image' | 'past' | 'added'
const keysName = (role: Role, i: number) => `${role}.${i}.keys`
const valuesName = (role: Role, i: number) => `${role}.${i}.values`

function outputKeys(b: Builder, role: Role, blocks: Past['blocks']): void {
  blocks.forEach(({ keys, values }, i) => {
    b.output(keysName(role, i), keys)
    b.output(valuesName(role, i), values)
  })
}

function inputKeys(b: Builder, role: Role, { channels, decoderLayers }: ModelConfig, rows: Dim): Past['blocks'] {
  const shape = ['B', rows, channels]
  return Array.from({ length: decoderLayers }, (_, i) => {
    return { keys: b.input(keysName(role, i), shape), values: b.input(valuesName(role, i), shape) }
  })
}

/** What every step of decoding takes. */
function tokenInputs(b: Builder, { channels }: ModelConfig) {
  return {
    ids: b.input('ids', ['B', 1], 'i32'),
    position: b.input('position', [1], 'i32'),
    read: b.input('read', ['B', channels]),
    visible: b.input('visible', ['B'], 'i32'),
  }
}

/** Logits [B,V] of states [B,1,C]. */
function outputLogits(b: Builder, config: ModelConfig, states: Value): void {
  b.output('logits', matmul(b, reshape(b, states, ['B', config.channels]), tokenTable(b, config)))
}

/**
 * The first token of captions: ids [B,1] i32, position [1] i32 (0), image_states [B,1+P,C] of encodeImage, read [B,C] of
 * the memory (0 without one), visible [B] i32 (2+P with memory, 1+P without) -> logits [B,V], and for each block I
 * image.I.keys and image.I.values [B,2+P,C], added.I.keys and added.I.values [B,1,C].
 */
export function startDecodingGraph(config: ModelConfig): Graph {
  const b = new Builder('startDecoding')
  const { visible, ...token } = tokenInputs(b, config)
  const w = b.input('image_states', ['B', 1 + patches(config), config.channels])
  const image = imageKeys(b, config, w, token.read, visible)
  const { states, added } = decodeToken(b, config, token, image, null)
  outputLogits(b, config, states)
  outputKeys(b, 'image', image)
  outputKeys(b, 'added', added)
  return b.graph
}

/**
 * The next token: ids, position, read and visible as above, image.I.* of startDecoding, past.I.keys and past.I.values
 * [B,L,C]: the added ones so far -> logits [B,V], added.I.* [B,1,C]. Symbols: L tokens so far, N = L + 1.
 */
export function decodeNextGraph(config: ModelConfig): Graph {
  const b = new Builder('decodeNext')
  const { visible, ...token } = tokenInputs(b, config)
  const image = inputKeys(b, 'image', config, 2 + patches(config)).map((keys) => ({ ...keys, lengths: visible }))
  const past = { blocks: inputKeys(b, 'past', config, 'L'), length: 'N' }
  const { states, added } = decodeToken(b, config, token, image, past)
  outputLogits(b, config, states)
  outputKeys(b, 'added', added)
  return b.graph
}

/** All entry points of a model file. */
export function inferenceGraphs(config: ModelConfig): Graph[] {
  const makers = [encodeImageGraph, encodeTextGraph, fuseGraph, startDecodingGraph, decodeNextGraph]
  return makers.map((make) => make(config))
}
