/**
 * The vision tower (model.md section 3): a DINOv2 ViT (arXiv 2304.07193; tensor names of `Dinov2Model`) with a patch
 * embedding or a convolutional stem in front, ternary, int8 or f32.
 */
import type { Builder } from '../graph/builder.ts'
import type { Value } from '../graph/graph.ts'
import { add } from '../ops/add.ts'
import { addRows } from '../ops/add_rows.ts'
import { attention } from '../ops/attention.ts'
import { concatFirst } from '../ops/concat_first.ts'
import { gelu } from '../ops/gelu.ts'
import { groupNorm } from '../ops/group_norm.ts'
import { im2col } from '../ops/im2col.ts'
import { matmul } from '../ops/matmul.ts'
import { mulChannels } from '../ops/mul_channels.ts'
import { patches as patchRows } from '../ops/patches.ts'
import { relu } from '../ops/relu.ts'
import { reshape } from '../ops/reshape.ts'
import { resizePositions } from '../ops/resize_positions.ts'
import { rmsNorm } from '../ops/rms_norm.ts'
import { swapAxes } from '../ops/swap_axes.ts'
import { patches, stemLinear, stride, towerLinear, type LinearKind, type ModelConfig } from './config.ts'
import { linear, norm, project } from './layers.ts'

/** Called with every intermediate state that the goldens name. */
export type Trace = (name: string, value: Value) => void

const EPS = 1e-6

/** pixels [B,3,S,S] -> tokens [B,1+P,hidden] after the final LayerNorm. */
export function visionTower(b: Builder, config: ModelConfig, pixels: Value, trace?: Trace): Value {
  const { hidden, depth, storedImage } = config.vision
  const tokens = config.vision.stem.length > 0 ? stem(b, config, pixels, trace) : patchEmbedding(b, config, pixels)
  const stored = (storedImage / stride(config.vision)) ** 2 + 1
  const table = b.parameter('vision.embeddings.position_embeddings', [1, stored, hidden])
  const positions = resizePositions(b, table, config.image / stride(config.vision))
  let x = concatFirst(b, b.parameter('vision.embeddings.cls_token', [1, 1, hidden]), tokens)
  x = addRows(b, x, positions)
  trace?.('vision.embedded', x)
  for (let i = 0; i < depth; i++) {
    x = towerBlock(b, `vision.encoder.layer.${i}`, config, x)
    trace?.(`vision.layer.${i}`, x)
  }
  return norm(b, 'vision.layernorm', x, EPS)
}

/** x += ls1 * Attn(LN1 x); x += ls2 * MLP(LN2 x). Ternary towers have an RMSNorm before o and before fc2. */
function towerBlock(b: Builder, name: string, config: ModelConfig, x: Value): Value {
  const { hidden, heads, mlpRatio } = config.vision
  const kind = towerLinear(config)
  const subNorm = (y: Value) => (config.vision.linear === 'ternary' ? rmsNorm(b, y, null) : y)
  const scaled = (part: string, y: Value) => mulChannels(b, y, b.parameter(`${name}.${part}.lambda1`, [hidden]))
  const h = norm(b, `${name}.norm1`, x, EPS)
  const of = (part: string) => linear(b, `${name}.attention.attention.${part}`, kind, h, hidden)
  const y = attention(b, of('query'), of('key'), of('value'), null, heads, false)
  x = add(b, x, scaled('layer_scale1', linear(b, `${name}.attention.output.dense`, kind, subNorm(y), hidden)))
  const wide = gelu(b, linear(b, `${name}.mlp.fc1`, kind, norm(b, `${name}.norm2`, x, EPS), mlpRatio * hidden))
  return add(b, x, scaled('layer_scale2', linear(b, `${name}.mlp.fc2`, kind, subNorm(wide), hidden)))
}

/** Convolution p x p of stride p with bias, as a linear on patches: [B,3,S,S] -> [B,P,hidden]. */
function patchEmbedding(b: Builder, config: ModelConfig, pixels: Value): Value {
  const { hidden, patch } = config.vision
  const name = 'vision.embeddings.patch_embeddings.projection'
  const weight = reshape(b, b.parameter(`${name}.weight`, [hidden, 3, patch, patch]), [hidden, 3 * patch * patch])
  const rows = patchRows(b, pixels, patch)
  return reshape(b, matmul(b, rows, weight, b.parameter(`${name}.bias`, [hidden])), [
    pixels.shape[0],
    patches(config),
    hidden,
  ])
}

/** The residual convolutional stem: [B,3,S,S] -> [B,P,hidden]; positions are rows, channels last. */
function stem(b: Builder, config: ModelConfig, pixels: Value, trace?: Trace): Value {
  const widths = config.vision.stem
  let size = config.image
  let x = swapAxes(b, reshape(b, pixels, [pixels.shape[0], 3, size * size]))
  const convolve = (name: string, input: Value, width: number, kernel: number, step: number, kind: LinearKind) => {
    const channels = input.shape[2] as number
    const weight = b.parameter(`${name}.weight`, [width, channels, kernel, kernel])
    // The checkpoint's order is (channel, y, x); rows of im2col have channels last, where they are contiguous.
    const ordered = swapAxes(b, reshape(b, weight, [width, channels, kernel * kernel]))
    const rows = im2col(b, input, { size, kernel, stride: step })
    size /= step
    const y = project(b, kind, rows, reshape(b, ordered, [width, kernel * kernel * channels]))
    const gain = b.parameter(`${name}.norm.weight`, [width])
    return groupNorm(
      b,
      reshape(b, y, [pixels.shape[0], size * size, width]),
      gain,
      b.parameter(`${name}.norm.bias`, [width]),
    )
  }
  x = relu(b, convolve('vision.stem.first', x, widths[0], 4, 2, 'f32'))
  trace?.('vision.stem.first', x)
  const kind = stemLinear(config)
  widths.slice(1).forEach((width, i) => {
    const y = relu(b, convolve(`vision.stem.${i}.down`, x, width, 3, 2, kind))
    x = relu(b, add(b, y, convolve(`vision.stem.${i}.same`, y, width, 3, 1, kind)))
    trace?.(`vision.stem.${i}`, x)
  })
  return linear(b, 'vision.stem.projection', 'f32', x, config.vision.hidden)
}
