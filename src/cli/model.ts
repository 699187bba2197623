/** What the commands that use a model share: opening it, and turning files into vectors. */
import { dot } from '../base/linear.ts'
import { MAX_MEMORY } from '../core.ts'
import { pictureFeatures } from '../evaluate/features.ts'
import { Subject } from '../evaluate/subject.ts'
import type { Pixels } from '../image/pixels.ts'
import { BitGen, DEFAULT_MODEL } from '../index.ts'
import { readBytes } from '../io/read-bytes.ts'
import { KERNELS } from '../kernels.ts'
import { forcedTarget, KernelError } from '../runtime/load.ts'
import { Session } from '../runtime/session.ts'
import { Progress } from './progress.ts'
import { errorAt, option, type Options } from './usage.ts'

/** For `command.option`: the model that a command uses. */
export const MODEL_OPTION = ['--model <file>', 'Model file or address; default: the one that comes along'] as const

/** The model of `--model`. Throws an Error that names the file. */
export async function openModel(options: Options): Promise<BitGen> {
  const source = option(options, 'model') ?? DEFAULT_MODEL
  return named(source, () => BitGen.load(source))
}

/** A model file or address as an evaluation asks it. Throws an Error that names it. */
export async function openSubject(source: string): Promise<Subject> {
  return named(source, async () => subjectOf(await readBytes(source, MAX_MEMORY)))
}

/** A model in the bytes of its file as an evaluation asks it. */
export async function subjectOf(bytes: Uint8Array): Promise<Subject> {
  return new Subject(await Session.open(bytes, { sources: KERNELS, maxMemory: MAX_MEMORY }), bytes)
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

/** Vectors of picture files; those that cannot be read are named on stderr. Throws where none can. */
export async function embedPictures(model: BitGen, paths: readonly string[]) {
  const { manifest } = model.info()
  const imageFeatures = async (pictures: readonly Pixels[]) => (await model.embedImage(pictures)).data
  return pictureFeatures({ manifest, imageFeatures }, paths, (label, total) => new Progress(label, total))
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
