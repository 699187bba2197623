/**
 * Entry `bitgen` for Node: the class of `bitgen/core` that also takes paths, encoded images and plain texts, and what
 * trains, exports and evaluates models.
 */
import { fileURLToPath } from 'node:url'
import { MAX_MEMORY, type LoadOptions } from './core.ts'
import { decodeImage } from './image/decode.ts'
import type { Pixels } from './image/pixels.ts'
import { arrival, type ModelSource } from './io/fetch.ts'
import { incomingFile, readBytes } from './io/read-bytes.ts'
import { KERNELS } from './kernels.ts'
import { loadSession } from './runtime/landing.ts'
import { Model } from './runtime/model.ts'
import type { SearchResult } from './runtime/search.ts'
import { decodeIds, TextStream } from './text/stream.ts'
import { encodeText } from './text/tokenizer.ts'

export type {
  Caption,
  CaptionOptions,
  CaptionStream,
  Features,
  ForwardInput,
  ForwardOutput,
  Isa,
  Lesson,
  LoadOptions,
  MemoryMatch,
  MemoryUse,
  ModelInfo,
  ModelManifest,
  ModelSource,
  OpenFile,
  Pixels,
  Recognition,
  Recollection,
  Scope,
  Source,
} from './core.ts'
export { evaluateRetrieval, type RetrievalReport } from './evaluate/retrieval.ts'
export { readTrainConfig, trainConfig, type TrainConfig } from './train/config.ts'
export { exportModel } from './train/export.ts'
export { trainRun, type RunOptions, type RunResult } from './train/run.ts'

/** Decoded pixels, a path or address, or the bytes of an image file. */
export type ImageInput = Pixels | string | URL | Uint8Array

/** Path of the model that the package carries. */
export const DEFAULT_MODEL = fileURLToPath(new URL('../models/emoji-nano/model.safetensors', import.meta.url))

/** Of an encoded image. */
const MAX_IMAGE_BYTES = 2 ** 26

/** Captions come in characters. */
export class BitGen extends Model<ImageInput, string, string> {
  /**
   * Loads a model from a path, an address, bytes, a Response, an open file, or a promise of one of the last three; by
   * default the one that the package carries. Throws a RangeError where it is damaged or too large, an Error where it
   * cannot be had, and the reason of an abort.
   */
  static async load(source: ModelSource = DEFAULT_MODEL, options: LoadOptions = {}): Promise<BitGen> {
    const { target, threads, maxMemory = MAX_MEMORY } = options
    const file = arrival(source, options.signal).then((arrived) => incomingFile(arrived, maxMemory, options))
    return new BitGen(await loadSession(file, { sources: KERNELS, target, threads, maxMemory }))
  }

  protected override async pixelsOf(image: ImageInput): Promise<Pixels> {
    if (image instanceof Uint8Array) return decodeImage(image)
    if (typeof image !== 'string' && !(image instanceof URL)) return image
    return decodeImage(await readBytes(image, MAX_IMAGE_BYTES), { name: String(image) })
  }

  protected override idsOf(text: string): number[] {
    const { prefix, maxLength } = this.loaded.manifest
    return encodeText(text, { prefix, maxLength })
  }

  protected override textOfLabel(label: string): string {
    return label
  }

  protected override pieces() {
    const { prefix } = this.loaded.manifest
    const stream = new TextStream(prefix)
    const given = (characters: string) => (characters === '' ? undefined : characters)
    return {
      piece: (id: number) => given(stream.push(id)),
      rest: () => given(stream.end()),
      caption: (result: SearchResult) => ({ ...result, text: decodeIds(result.ids, prefix) }),
    }
  }
}
