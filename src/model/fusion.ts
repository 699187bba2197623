/**
 * The image side of the fusion stack and the fused pass (model.md section 4; FIBER, arXiv 2206.07643): tower tokens
 * projected to the model's width, then blocks that pair with the last text blocks. In fused mode both directions read
 * the other side's state before the layer; with alpha 0 the two modes agree exactly.
 */
import type { Builder } from '../graph/builder.ts'
import type { Value } from '../graph/graph.ts'
import type { ModelConfig } from './config.ts'
import { block, linear, rms, type States } from './layers.ts'
import { firstFused } from './text.ts'
import { visionTower, type Trace } from './vision.ts'

/** pixels [B,3,S,S] -> vision tokens v [B,1+P,C]. */
export function visionTokens(b: Builder, config: ModelConfig, pixels: Value, trace?: Trace): Value {
  const tower = visionTower(b, config, pixels, trace)
  trace?.('vision.tower', tower)
  return projectTower(b, config, tower)
}

/** Outputs of the tower [B,1+P,hidden] -> vision tokens v [B,1+P,C]. */
export function projectTower(b: Builder, config: ModelConfig, tower: Value): Value {
  return linear(b, 'fusion.vision_proj', 'f32', tower, config.channels)
}

/** v [B,1+P,C] -> unimodal image states w [B,1+P,C]. */
export function encodeImage(b: Builder, config: ModelConfig, v: Value, trace?: Trace): Value {
  for (let j = 0; j < config.fusionLayers; j++) {
    v = block(b, `fusion.blocks.${j}`, config, { x: v, lengths: null })
    trace?.(`unimodal.image.${j}`, v)
  }
  return rms(b, 'fusion.norm', v)
}

/** Fused states of texts h [B,T,C] and images w [B,1+P,C]. */
export interface Fused {
  h: Value
  w: Value
}

/** Text states before the fused blocks (encodePrefix) and vision tokens v [B,1+P,C] -> fused states of both. */
export function encodeFused(b: Builder, config: ModelConfig, prefix: States, v: Value, trace?: Trace): Fused {
  let text = prefix
  let image: States = { x: v, lengths: null }
  for (let j = 0; j < config.fusionLayers; j++) {
    const i = firstFused(config) + j
    const x = block(b, `text.blocks.${i}`, config, text, image)
    const w = block(b, `fusion.blocks.${j}`, config, image, text)
    text = { ...text, x }
    image = { ...image, x: w }
    trace?.(`fused.text.${i}`, x)
    trace?.(`fused.image.${j}`, w)
  }
  return { h: rms(b, 'text.norm', text.x), w: rms(b, 'fusion.norm', image.x) }
}
