/**
 * Layers shared by text and vision (model.md sections 2 and 4): a linear of a named kind, attention, feed-forward and
 * the pre-norm block. They only call the builder; parameter names are those of the checkpoint.
 */
import type { Builder } from '../graph/builder.ts'
import type { Value } from '../graph/graph.ts'
import { columns } from '../base/shape.ts'
import { add } from '../ops/add.ts'
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

/** o(sub_norm(Attention(q(x), k(x), v(x)))) of x [B,T,C]; keys past `lengths` [B] are masked. */
function attend(b: Builder, name: string, config: ModelConfig, x: Value, lengths: Value | null): Value {
  const kind = bodyLinear(config)
  const of = (part: string, input: Value) => linear(b, `${name}.${part}`, kind, input, config.channels, false)
  const y = attention(b, of('q', x), of('k', x), of('v', x), lengths, config.heads, false)
  return of('o', rms(b, `${name}.sub_norm`, y))
}

/** down(sub_norm(gelu(up(x)))). */
function feedForward(b: Builder, name: string, config: ModelConfig, x: Value): Value {
  const kind = bodyLinear(config)
  const wide = gelu(b, linear(b, `${name}.up`, kind, x, config.ffn, false))
  return linear(b, `${name}.down`, kind, rms(b, `${name}.sub_norm`, wide), config.channels, false)
}

/** One block of the text encoder or of the fusion side, in unimodal mode: x [B,T,C] -> [B,T,C]. */
export function block(b: Builder, name: string, config: ModelConfig, x: Value, lengths: Value | null): Value {
  x = add(b, x, attend(b, `${name}.attn`, config, rms(b, `${name}.norm1`, x), lengths))
  return add(b, x, feedForward(b, `${name}.ffn`, config, rms(b, `${name}.norm2`, x)))
}
