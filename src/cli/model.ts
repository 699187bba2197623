/**
 * What the commands that use a model share: opening it, and turning files into vectors in small parts, so that memory
 * does not grow with the number of pictures.
 */
import { errorText, message } from '../base/errors.ts'
import { decodeImage } from '../image/decode.ts'
import { BitGen, DEFAULT_MODEL } from '../index.ts'
import { forcedTarget, KernelError } from '../runtime/load.ts'
import { Progress } from './progress.ts'
import { errorAt, option, type Options } from './usage.ts'

/** For `command.option`: the model that a command uses. */
export const MODEL_OPTION = ['--model <file>', 'Model file or address; default: the one that comes along'] as const

/** Pictures that are decoded at a time, and texts that are encoded between two looks at the progress. */
const [PICTURES, TEXTS] = [8, 512]

/** The model of `--model`. Throws an Error that names the file. */
export async function openModel(options: Options): Promise<BitGen> {
  const source = option(options, 'model') ?? DEFAULT_MODEL
  // Nothing is wrong with the model where the kernels that were asked for do not exist or do not work here.
  forcedTarget()
  try {
    return await BitGen.load(source)
  } catch (error) {
    if (error instanceof KernelError) throw error
    throw errorAt(source, 'must be a model file', error)
  }
}

export interface EmbeddedPictures {
  /** Indices of the pictures that could be read, in order. */
  readable: number[]
  /** A unit vector for each of them [readable,C]. */
  features: Float32Array
}

/** Vectors of picture files; those that cannot be read are named on stderr. Throws where none can. */
export async function embedPictures(model: BitGen, paths: readonly string[]): Promise<EmbeddedPictures> {
  const { channels } = model.info().manifest
  const features = new Float32Array(paths.length * channels)
  const readable: number[] = []
  const progress = new Progress('pictures', paths.length)
  for (let from = 0; from < paths.length; from += PICTURES) {
    const decoded = await Promise.allSettled(paths.slice(from, from + PICTURES).map((path) => decodeImage(path)))
    const pictures = decoded.flatMap((result, i) => {
      if (result.status === 'rejected') {
        progress.note(`left out: ${errorText(result.reason)}`)
        return []
      }
      readable.push(from + i)
      return [result.value]
    })
    const { data } = await model.embedImage(pictures)
    features.set(data, (readable.length - pictures.length) * channels)
    progress.update(Math.min(from + PICTURES, paths.length))
  }
  progress.stop()
  if (readable.length === 0) throw new Error(message('pictures', 'one must be readable', `0 of ${paths.length}`))
  return { readable, features: features.subarray(0, readable.length * channels) }
}

/** Vectors of texts [texts,C]. */
export async function embedTexts(model: BitGen, texts: readonly string[]): Promise<Float32Array> {
  const { channels } = model.info().manifest
  const features = new Float32Array(texts.length * channels)
  const progress = new Progress('texts', texts.length)
  for (let from = 0; from < texts.length; from += TEXTS) {
    const { data } = await model.embedText(texts.slice(from, from + TEXTS))
    features.set(data, from * channels)
    progress.update(Math.min(from + TEXTS, texts.length))
  }
  progress.stop()
  return features
}

/** Cosine of a unit vector [C] with each row of `gallery` [rows,C]. */
export function scores(query: Float32Array, gallery: Float32Array): number[] {
  const C = query.length
  return Array.from({ length: gallery.length / C }, (_, row) => {
    let sum = 0
    for (let c = 0; c < C; c++) sum += query[c] * gallery[row * C + c]
    return sum
  })
}

/** Indices of the `k` highest scores, highest first; of equal ones the first comes first. */
export function top(all: readonly number[], k: number): number[] {
  const order = all.map((_, i) => i)
  return order.sort((a, b) => all[b] - all[a] || a - b).slice(0, k)
}
