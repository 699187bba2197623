/**
 * The image side of the fusion stack (model.md section 4; FIBER, arXiv 2206.07643), in unimodal mode: tower tokens
 * projected to the model's width, then blocks that pair with the last text blocks.
 */
import type { Builder } from '../graph/builder.ts'
import type { Value } from '../graph/graph.ts'
import type { ModelConfig } from './config.ts'
import { block, linear, rms } from './layers.ts'
import { visionTower, type Trace } from './vision.ts'

/** pixels [B,3,S,S] -> vision tokens v [B,1+P,C]. */
export function visionTokens(b: Builder, config: ModelConfig, pixels: Value, trace?: Trace): Value {
  const tower = visionTower(b, config, pixels, trace)
  trace?.('vision.tower', tower)
  return linear(b, 'fusion.vision_proj', 'f32', tower, config.channels)
}

/** v [B,1+P,C] -> unimodal image states w [B,1+P,C]. */
export function encodeImage(b: Builder, config: ModelConfig, v: Value, trace?: Trace): Value {
  for (let j = 0; j < config.fusionLayers; j++) {
    v = block(b, `fusion.blocks.${j}`, config, v, null)
    trace?.(`unimodal.image.${j}`, v)
  }
  return rms(b, 'fusion.norm', v)
}
