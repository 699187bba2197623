/**
 * What the commands that use a model share: opening it, and turning files into vectors in small parts, so that memory
 * does not grow with the number of pictures.
 */
import { readFile } from 'node:fs/promises'
import { errorText, message } from '../base/errors.ts'
import { dot } from '../base/linear.ts'
import { MAX_MEMORY } from '../core.ts'
import { Subject } from '../evaluate/subject.ts'
import { decodeImage } from '../image/decode.ts'
import { BitGen, DEFAULT_MODEL } from '../index.ts'
import { KERNELS } from '../kernels.ts'
import { fetchBytes } from '../runtime/fetch.ts'
import { forcedTarget, KernelError } from '../runtime/load.ts'
import { Session } from '../runtime/session.ts'
import { Progress } from './progress.ts'
import { errorAt, option, type Options } from './usage.ts'

/** For `command.option`: the model that a command uses. */
export const MODEL_OPTION = ['--model <file>', 'Model file or address; default: the one that comes along'] as const

/** Pictures that are decoded at a time. */
const PICTURES = 8

/** The model of `--model`. Throws an Error that names the file. */
export async function openModel(options: Options): Promise<BitGen> {
  const source = option(options, 'model') ?? DEFAULT_MODEL
  return named(source, () => BitGen.load(source))
}

/** A model file or address as an evaluation asks it. Throws an Error that names it. */
export async function openSubject(source: string): Promise<Subject> {
  return named(source, async () => subjectOf(await readSource(source)))
}

/** A model in the bytes of its file as an evaluation asks it. */
export async function subjectOf(bytes: Uint8Array): Promise<Subject> {
  return new Subject(await Session.open(bytes, { sources: KERNELS, maxMemory: MAX_MEMORY }), bytes)
}

async function readSource(source: string): Promise<Uint8Array> {
  if (/^(https?|data):/.test(source)) return fetchBytes(source, MAX_MEMORY)
  return readFile(source).catch((error: unknown) => {
    throw new Error(message(source, 'must be a readable file', errorText(error)), { cause: error })
  })
}

/** What `open` gives; its errors name the model. */
async function named<T>(source: string, open: () => Promise<T>): Promise<T> {
  // Nothing is wrong with the model where the kernels that were asked for do not exist or do not work here.
  forcedTarget()
  try {
    return await open()
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

/** Cosine of a unit vector [C] with each row of `gallery` [rows,C]. */
export function scores(query: Float32Array, gallery: Float32Array): number[] {
  const C = query.length
  return Array.from({ length: gallery.length / C }, (_, row) => dot(query, 0, gallery, row * C, C))
}

/** Indices of the `k` highest scores, highest first; of equal ones the first comes first. */
export function top(all: readonly number[], k: number): number[] {
  const order = all.map((_, i) => i)
  return order.sort((a, b) => all[b] - all[a] || a - b).slice(0, k)
}
