/** What a user of the package may write, and what must not compile: package.test.ts checks it against the types. */
import { BitGen, DEFAULT_MODEL, trainConfig, type Features, type ImageInput, type TrainConfig } from 'bitgen'
import {
  BitGen as Core,
  type CaptionOptions,
  type ForwardOutput,
  type LoadOptions,
  type ModelInfo,
  type Pixels,
  type Recollection,
} from 'bitgen/core'

const options: LoadOptions = { target: 'simd128', maxMemory: 2 ** 28, signal: AbortSignal.timeout(1000) }
const model: BitGen = await BitGen.load(DEFAULT_MODEL, { ...options, onProgress: (loaded, total) => [loaded, total] })
const images: ImageInput[] = ['cat.png', new URL('https://example.org/cat.png'), new Uint8Array(4)]
const features: Features = await model.embedImage(images)
const rows: number = features.shape[0]
const scores: number[] = await model.similarity(images[0], ['a cat', 'a dog'])

const greedy: CaptionOptions = { maxTokens: 8, signal: AbortSignal.timeout(1000) }
for await (const piece of model.caption('cat.png', greedy)) piece.trim()
const { text } = await model.caption('cat.png')
const matches: number[] = await model.match('cat.png', [text, 'a dog'])
const { id }: { id: string } = await model.memory.write({ image: 'cat.png', label: 'my cat' })
const found: Recollection | null = await model.memory.recall({ image: 'cat.png' })
model.memory.forget(id)

const core: Core = await Core.load(new Response())
const pixels: Pixels = new ImageData(2, 2)
const output: ForwardOutput = await core.forward({ inputIds: Int32Array.of(50256), image: pixels })
const states: Float32Array = output.embeddings.data
const info: ModelInfo = core.info()
await core.embedText([[50256, 1], Int32Array.of(2)])
for await (const id of core.caption(pixels)) id.toFixed()
const { ids } = await core.caption(pixels)
await core.memory.write({ image: pixels, label: 'my cat', text: ids })

const config: TrainConfig = trainConfig({}, '.')
const vocabulary: 'full' | 'seen' = config.vocabulary
export { found, info, matches, rows, scores, states, vocabulary }

// @ts-expect-error The core has no decoder.
await core.embedImage('cat.png')
// @ts-expect-error Nor a tokenizer.
await core.embedText('a cat')
// @ts-expect-error So its captions have no text.
;(await core.caption(pixels)).text
// @ts-expect-error There is no such instruction set.
await Core.load('model', { target: 'avx' })
// @ts-expect-error Numbers are no texts.
await model.embedText(7)
// @ts-expect-error Configurations are typed.
config.steps = 'many'
