/**
 * Goldens of single parts: the ternary linear, the contrastive losses, a DINOv2 tower, image preparation.
 */
import { Builder } from '../../src/graph/builder.ts'
import type { Value } from '../../src/graph/graph.ts'
import { resizeScratchBytes } from '../../src/image/resize.ts'
import { modelConfig, type ModelConfig } from '../../src/model/config.ts'
import { contrastLosses, features } from '../../src/model/losses.ts'
import { visionTower } from '../../src/model/vision.ts'
import { bitLinear } from '../../src/ops/bitlinear.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { reshape } from '../../src/ops/reshape.ts'
import { resizePositions } from '../../src/ops/resize_positions.ts'
import { backward } from '../../src/plan/backward.ts'
import { roundUp } from '../../src/abi.ts'
import type { Engine } from './engine.ts'
import type { Golden, Numbers } from './files.ts'
import { deviation, difference, type Row } from './report.ts'

/** sum(a * b) as a loss [1]: its gradient in a is b, exactly. */
export function dot(b: Builder, a: Value, c: Value, length: number): Value {
  return reshape(b, matmul(b, reshape(b, a, [1, length]), reshape(b, c, [1, length])), [1])
}

export function checkBitlinear(golden: Golden, engine: Engine): Row[] {
  return (golden.meta.cases as string[]).flatMap((name): Row[] => {
    const want = (part: string) => golden.get(`${name}.${part}`)
    const [M, K] = golden.shape(`${name}.x`)
    const [N] = golden.shape(`${name}.W`)
    const b = new Builder(name)
    const [x, W, dy] = [b.input('x', [M, K]), b.input('W', [N, K]), b.input('dy', [M, N])]
    const y = bitLinear(b, x, W)
    const [codes, a, , Wt, gamma] = y.node!.inputs as Value[]
    const gradients = backward(b, dot(b, y, dy, M * N), [x, W])
    const outputs = { codes, a, Wt, gamma, y, dx: gradients.get(x.id)!, dW: gradients.get(W.id)! }
    for (const [output, value] of Object.entries(outputs)) b.output(output, value)
    const got = engine.run(b.graph, { x: want('x'), W: want('W'), dy: want('dy') })
    const stride = codes.shape[1] as number
    const Xt = Array.from({ length: M * K }, (_, i) => got.codes[Math.floor(i / K) * stride + (i % K)])
    // The integers behind y: its scale is divided out again, which leaves an error far below 1/2.
    const acc = Array.from(got.y, (v, i) => Math.round(v / (got.gamma[0] * (got.a[Math.floor(i / N)] / 127))))
    return [
      { quantity: `${name}.Xt`, error: difference(Xt, want('Xt')), tolerance: 0 },
      { quantity: `${name}.Wt`, error: difference(got.Wt, want('Wt')), tolerance: 0 },
      { quantity: `${name}.acc`, error: difference(acc, want('acc')), tolerance: 0 },
      { quantity: `${name}.gamma`, error: deviation(got.gamma, want('gamma')).max, tolerance: 1e-6 },
      ...['y', 'dx', 'dW'].map((part) => {
        return { quantity: `${name}.${part}`, error: deviation(got[part], want(part)).max, tolerance: 2e-6 }
      }),
    ]
  })
}

export function checkContrast(golden: Golden, engine: Engine): Row[] {
  const [B, C] = golden.shape('text')
  const [Q] = golden.shape('queue.text')
  return ['itc_concepts', 'image_contrast'].flatMap((name): Row[] => {
    const b = new Builder(name)
    const leaves = [b.input('text', [B, C]), b.input('image', [B, C]), b.parameter('itc.log_temperature', [1])]
    const [t, i] = leaves.slice(0, 2).map((leaf) => features(b, leaf))
    const concept = b.input('concept', [B], 'i32')
    const queue = {
      text: b.state('queue.text', [Q, C]),
      image: b.state('queue.image', [Q, C]),
      ids: b.state('queue.image_id', [Q], 'i32'),
      filled: b.state('queue.filled', [1], 'i32'),
    }
    const losses = contrastLosses(b, t, i, concept, { concepts: true, images: true, queue })
    const loss = name === 'itc_concepts' ? losses.itc : losses.imageContrast!
    const gradients = backward(b, loss, leaves)
    b.output('loss', loss)
    for (const leaf of leaves) if (gradients.has(leaf.id)) b.output(`grad.${leaf.name}`, gradients.get(leaf.id)!)
    const feeds: Record<string, Numbers> = { 'itc.log_temperature': golden.get('log_temperature') }
    for (const { name: leaf } of b.graph.values) if (leaf && golden.has(leaf)) feeds[leaf] = golden.get(leaf)
    const got = engine.run(b.graph, feeds)
    return golden.names
      .filter((tensor) => tensor.startsWith(`${name}.`))
      .map((tensor) => {
        const part = tensor.slice(name.length + 1).replace('log_temperature', 'itc.log_temperature')
        return { quantity: tensor, error: deviation(got[part] ?? [], golden.get(tensor)).max, tolerance: 1e-5 }
      })
  })
}

export function checkDinov2(golden: Golden, engine: Engine): Row[] {
  const c = golden.meta.config as {
    hidden: number
    depth: number
    heads: number
    patch: number
    stored_image_size: number
  }
  const run = (
    pixelsName: string,
    outputs: (b: Builder, config: ModelConfig, pixels: Value) => Record<string, Value>,
  ) => {
    const shape = golden.shape(pixelsName)
    const { hidden, depth, heads, patch } = c
    const vision = { hidden, depth, heads, patch, linear: 'f32', storedImage: c.stored_image_size } as const
    const config = modelConfig('tiny', { image: shape[2], vision })
    const b = new Builder('dinov2')
    const pixels = b.input('pixels', ['B', ...shape.slice(1)])
    for (const [name, value] of Object.entries(outputs(b, config, pixels))) b.output(name, value)
    const parameters = golden.names.filter((name) => name.startsWith('vision.'))
    const feeds = Object.fromEntries(parameters.map((name) => [name, golden.get(name)]))
    return engine.run(b.graph, { ...feeds, pixels: golden.get(pixelsName) }, { B: shape[0] })
  }
  const got: Record<string, Numbers> = {
    ...run('in.pixels', (b, config, pixels) => {
      const table = 'vision.embeddings.position_embeddings'
      const positions = resizePositions(b, b.parameter(table, golden.shape(table)), config.image / c.patch)
      return { last_hidden_state: visionTower(b, config, pixels), positions_3x3: positions }
    }),
    ...run('in.pixels_stored_size', (b, config, pixels) => {
      return { last_hidden_state_stored_size: visionTower(b, config, pixels) }
    }),
  }
  return ['last_hidden_state', 'last_hidden_state_stored_size', 'positions_3x3'].map((quantity) => {
    return { quantity, error: deviation(got[quantity], golden.get(quantity)).max, tolerance: 1e-4 }
  })
}

/** Kernels only: there is no graph of images. */
export function checkPreprocess(golden: Golden, { kernels }: Engine): Row[] {
  if (!kernels) return []
  const names = golden.names.flatMap((name) => (name.endsWith('.image') ? [name.slice(0, -'.image'.length)] : []))
  return names.flatMap((name): Row[] => {
    const [height, width] = golden.shape(`${name}.image`)
    const [size] = golden.shape(`${name}.resized`)
    const sizes = [height * width * 3, size * size * 3, size * size * 3 * 4, resizeScratchBytes(width, height, size)]
    const at: number[] = []
    sizes.reduce((next, bytes) => (at.push(next), roundUp(next + bytes, 64)), roundUp(kernels.manifest.heapBase, 64))
    kernels.reserve(at[3] + sizes[3])
    kernels.view('u8', at[0], sizes[0]).set(golden.get(`${name}.image`))
    const call = (family: string, ...args: number[]) => kernels.function(kernels.entry(family, true))(...args)
    call('resize_bilinear__u8', at[0], at[1], at[3], width, height, size)
    call('normalize_pixels__u8', at[1], at[2], size)
    const resized = kernels.view('u8', at[1], sizes[1])
    const pixels = kernels.view('f32', at[2], sizes[1])
    return [
      { quantity: `${name}.resized`, error: difference(resized, golden.get(`${name}.resized`)), tolerance: 0 },
      { quantity: `${name}.pixels`, error: difference(pixels, golden.get(`${name}.pixels`)), tolerance: 1e-6 },
    ]
  })
}
