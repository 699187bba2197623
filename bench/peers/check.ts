/**
 * `npm run bench -- peers --check`: results alone, nothing timed. Every peer against our product and our image encode;
 * and the translation itself, on a small tower of float weights, against the float64 interpreter: there no rounding of
 * activations hides a fault.
 */
import { message } from '../../src/base/errors.ts'
import { encodeImageGraph } from '../../src/model/bitgen.ts'
import { modelConfig } from '../../src/model/config.ts'
import { interpret } from '../../src/plan/interpret.ts'
import { randomPixels, randomValues, type Encoder } from './encode.ts'
import type { OnnxRuntime } from './onnxruntime.ts'
import { difference, makeProduct, type Engine, type Sizes } from './product.ts'
import { agreeing, type LeftOut } from './products.ts'
import { translate } from './translate.ts'

/** Rows that fill no tile of ours, and K of whole blocks of every peer. */
const SHAPES: Sizes[] = [
  [1, 128, 128],
  [7, 256, 128],
  [16, 768, 768],
]

const FLOAT_TOWER = modelConfig('tiny', {
  ternary: false,
  channels: 32,
  ffn: 48,
  image: 28,
  vision: { hidden: 48, depth: 2, storedImage: 42 },
})
/** Of f32 arithmetic in this tower; the largest difference over the root mean square. */
const FLOAT_TOLERANCE = 1e-4

/** A line for every product and peer. */
export async function checkProducts(engines: readonly Engine[], leftOut: LeftOut[]): Promise<void> {
  for (const sizes of SHAPES) {
    for (const { contender, difference } of await agreeing(engines, makeProduct(sizes), leftOut)) {
      console.log(`ok   ${sizes.join(' x ').padEnd(16)} ${contender.name.padEnd(24)} ${difference.toExponential(1)}`)
    }
  }
}

export function checkEncoders(found: readonly Encoder[]): void {
  for (const { name, cosine } of found)
    console.log(`ok   encode           ${name.padEnd(24)} cosine ${cosine.toFixed(5)}`)
}

export async function checkTranslation(onnx: readonly OnnxRuntime[], leftOut: LeftOut[]): Promise<void> {
  const graph = encodeImageGraph(FLOAT_TOWER)
  const values = randomValues(graph)
  const pixels = randomPixels(FLOAT_TOWER)
  const symbols = { B: 1 }
  const want = interpret(graph, { ...Object.fromEntries(values), pixels }, symbols)
  for (const output of ['vision_tokens', 'image_states', 'image_features']) {
    for (const { name, open } of onnx) {
      const run = await open(translate(graph, { symbols, values, linear: 'f32', output }), 'pixels', [1, 3, 28, 28])
      const most = difference((await run(pixels))[output].data, want[output].data)
      const reason = message(output, `must agree to ${FLOAT_TOLERANCE}`, most)
      // What is not a number agrees with nothing.
      const agrees = most <= FLOAT_TOLERANCE
      if (agrees) console.log(`ok   float tower      ${name.padEnd(24)} ${output} ${most.toExponential(1)}`)
      else leftOut.push({ at: 'float tower', name, reason, differs: true })
    }
  }
}
