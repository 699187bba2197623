/**
 * Layers shared by text, vision and decoder (model.md sections 2, 4 and 7): a linear of a named kind, attention,
 * feed-forward and the pre-norm block, alone or fused with the other modality (FIBER, arXiv 2206.07643). They only call
 * the builder; parameter names are those of the checkpoint.
 */
import type { Builder } from '../graph/builder.ts'
import type { Value } from '../graph/graph.ts'
import { columns } from '../base/shape.ts'
import { add } from '../ops/add.ts'
import { addScaled } from '../ops/add_scaled.ts'
import { attention } from '../ops/attention.ts'
import { bitLinear } from '../ops/bitlinear.ts'
import { gelu } from '../ops/gelu.ts'
import { layerNorm } from '../ops/layer_norm.ts'
import { matmul } from '../ops/matmul.ts'
import { rmsNorm } from '../ops/rms_norm.ts'
import { roundRows } from '../ops/round_rows.ts'
import type { LinearKind, ModelConfig } from './config.ts'

/** x [..., K] -> [..., N] by a weight [N, K] of the given kind, with a bias or without. */
export function project(b: Builder, kind: LinearKind, x: Value, weight: Value, bias?: Value): Value {
  if (kind === 'ternary') return bitLinear(b, x, weight, bias)
  return matmul(b, x, kind === 'int8' ? roundRows(b, weight) : weight, bias)
}

/** The linear `name.weight` (and `name.bias`) with `outputs` outputs. */
export function linear(b: Builder, name: string, kind: LinearKind, x: Value, outputs: number, bias = true): Value {
  const weight = b.parameter(`${name}.weight`, [outputs, columns(x.shape)])
  return project(b, kind, x, weight, bias ? b.parameter(`${name}.bias`, [outputs]) : undefined)
}

/** RMSNorm with the gain `name.weight`, eps 1e-5. */
export function rms(b: Builder, name: string, x: Value): Value {
  return rmsNorm(b, x, b.parameter(`${name}.weight`, [columns(x.shape)]))
}

/** LayerNorm with `name.weight` and `name.bias`. */
export function norm(b: Builder, name: string, x: Value, eps: number): Value {
  const shape = [columns(x.shape)]
  return layerNorm(b, x, b.parameter(`${name}.weight`, shape), b.parameter(`${name}.bias`, shape), eps)
}

/** The kind of the linears of text and fusion blocks. */
export function bodyLinear(config: ModelConfig): LinearKind {
  return config.ternary ? 'ternary' : 'f32'
}

/** What attention reads: projected keys and values [B,T,C]; keys from `lengths` [B] i32 on are masked. */
export interface KeysAndValues {
  keys: Value
  values: Value
  lengths: Value | null
}

/** k(x) and v(x) of the attention `name`, x [B,T,C]. */
export function keysAndValues(
  b: Builder,
  name: string,
  config: ModelConfig,
  x: Value,
  lengths: Value | null,
): KeysAndValues {
  const of = (part: string) => linear(b, `${name}.${part}`, bodyLinear(config), x, config.channels, false)
  return { keys: of('k'), values: of('v'), lengths }
}

/** o(sub_norm(Attention(q(x), keys, values))) of x [B,T,C]; causal: keys behind the query are masked too. */
export function attend(
  b: Builder,
  name: string,
  config: ModelConfig,
  x: Value,
  { keys, values, lengths }: KeysAndValues,
  causal = false,
): Value {
  const of = (part: string, input: Value) =>
    linear(b, `${name}.${part}`, bodyLinear(config), input, config.channels, false)
  const y = attention(b, of('q', x), keys, values, lengths, config.heads, causal)
  return of('o', rms(b, `${name}.sub_norm`, y))
}

/** down(sub_norm(gelu(up(x)))). */
export function feedForward(b: Builder, name: string, config: ModelConfig, x: Value): Value {
  const kind = bodyLinear(config)
  const wide = gelu(b, linear(b, `${name}.up`, kind, x, config.ffn, false))
  return linear(b, `${name}.down`, kind, rms(b, `${name}.sub_norm`, wide), config.channels, false)
}

/** States [B,T,C] of one modality; tokens from `lengths` [B] i32 on are padding. */
export interface States {
  x: Value
  lengths: Value | null
}

/**
 * One block of the text encoder or of the fusion side: x [B,T,C] -> [B,T,C]. With `other`, the other modality before
 * its own block of this layer, it is fused: alpha times a cross-attention is added to the attention's output.
 */
export function block(b: Builder, name: string, config: ModelConfig, { x, lengths }: States, other?: States): Value {
  const h = rms(b, `${name}.norm1`, x)
  let u = attend(b, `${name}.attn`, config, h, keysAndValues(b, `${name}.attn`, config, h, lengths))
  if (other) {
    const cross = `${name}.cross`
    const seen = keysAndValues(b, cross, config, rms(b, `${name}.norm_kv`, other.x), other.lengths)
    const c = attend(b, cross, config, rms(b, `${name}.norm_c`, u), seen)
    u = addScaled(b, u, c, b.parameter(`${cross}.alpha`, [1]))
  }
  x = add(b, x, u)
  return add(b, x, feedForward(b, `${name}.ffn`, config, rms(b, `${name}.norm2`, x)))
}
