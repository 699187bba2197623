/**
 * Entry `bitgen` for Node: the class of `bitgen/core` that also takes paths, encoded images and plain texts, and what
 * trains, exports and evaluates models.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { LoadOptions } from './core.ts'
import { errorText, message } from './base/errors.ts'
import { decodeImage } from './image/decode.ts'
import type { Pixels } from './image/pixels.ts'
import { KERNELS } from './kernels.ts'
import { fetchModel, type ModelSource } from './runtime/fetch.ts'
import { Model } from './runtime/model.ts'
import { Session } from './runtime/session.ts'
import { encodeText } from './text/tokenizer.ts'

export type {
  Features,
  ForwardInput,
  ForwardOutput,
  Isa,
  LoadOptions,
  MemoryUse,
  ModelInfo,
  ModelManifest,
  Pixels,
} from './core.ts'
export type { ModelSource } from './runtime/fetch.ts'
export { evaluateRetrieval, type RetrievalReport } from './evaluate/retrieval.ts'
export { readTrainConfig, trainConfig, type TrainConfig } from './train/config.ts'
export { exportModel } from './train/export.ts'
export { trainRun, type RunOptions, type RunResult } from './train/run.ts'

/** Decoded pixels, a path or address, or the bytes of an image file. */
export type ImageInput = Pixels | string | URL | Uint8Array

/** Path of the model that the package carries. */
export const DEFAULT_MODEL = fileURLToPath(new URL('../models/emoji-nano/model.safetensors', import.meta.url))

export class BitGen extends Model<ImageInput, string> {
  /** Loads a model from a path, an address, bytes or a Response. Throws where it is damaged, by its name. */
  static async load(source: ModelSource = DEFAULT_MODEL, { target, ...options }: LoadOptions = {}): Promise<BitGen> {
    const bytes = isPath(source) ? await readBytes(source, options.signal) : await fetchModel(source, options)
    return new BitGen(await Session.open(bytes, { sources: KERNELS, target }))
  }

  protected override async pixelsOf(image: ImageInput): Promise<Pixels> {
    if (image instanceof Uint8Array) return decodeImage(image)
    if (typeof image !== 'string' && !(image instanceof URL)) return image
    return decodeImage(isPath(image) ? await readBytes(image) : await fetchModel(image), { name: String(image) })
  }

  protected override idsOf(text: string): number[] {
    const { prefix, maxLength } = this.loaded.manifest
    return encodeText(text, { prefix, maxLength })
  }
}

/** Strings that do not begin with a scheme, and file addresses. */
function isPath(source: unknown): source is string | URL {
  if (source instanceof URL) return source.protocol === 'file:'
  return typeof source === 'string' && !/^(https?|data|blob):/.test(source)
}

async function readBytes(path: string | URL, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    return new Uint8Array(
      await readFile(typeof path === 'string' && path.startsWith('file:') ? new URL(path) : path, { signal }),
    )
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Error(message(String(path), 'must be a readable file', errorText(error)), { cause: error })
  }
}
