/**
 * Entry `bitgen/core`: inference that embeds anywhere. Pixels and ids in, numbers out; no dependencies, no tokenizer, no
 * decoder, nothing of Node.
 */
import type { Isa } from './abi.ts'
import type { Pixels } from './image/pixels.ts'
import { arrival, incoming, type FetchOptions, type ModelSource } from './io/fetch.ts'
import { KERNELS } from './kernels.ts'
import { loadSession } from './runtime/landing.ts'
import { Model } from './runtime/model.ts'
import type { SearchResult } from './runtime/search.ts'

export type { Isa } from './abi.ts'
export type { Pixels } from './image/pixels.ts'
export type { ModelSource, OpenFile, Source } from './io/fetch.ts'
export type { ModelManifest, Scope } from './io/model-file.ts'
export type { Caption, CaptionStream } from './runtime/caption.ts'
export type { MemoryUse } from './runtime/layout.ts'
export type { MemoryMatch } from './runtime/memory.ts'
export type { CaptionOptions } from './runtime/model.ts'
export type { Lesson, Recognition, Recollection } from './runtime/recognition.ts'
export type { Features, ForwardInput, ForwardOutput, ModelInfo } from './runtime/session.ts'

export interface LoadOptions extends FetchOptions {
  /** Bytes that the file may have, and memory to run it may grow to: 3 for each pixel of a picture too. */
  maxMemory?: number
  /** Only these kernels will do; default: the best that give the right answers here. */
  target?: Isa
  /**
   * Threads that run the model; default: as many as are worth it, one for small models. Where the engine or page has no
   * shared memory, one runs it.
   */
  threads?: number
}

/** Default of maxMemory; the shipped model takes 10 MB. */
export const MAX_MEMORY = 2 ** 29

/** Texts are ids of GPT-2 with BOS and EOS, captions come in ids. */
export class BitGen extends Model<Pixels, ArrayLike<number>, number> {
  /**
   * Loads a model from an address, bytes, a Response, an open file, or a promise of one of the last three. Throws a
   * RangeError where it is damaged or too large, an Error where it cannot be had or no kernels work here, and the reason
   * of an abort.
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<BitGen> {
    const { target, threads, maxMemory = MAX_MEMORY } = options
    const file = arrival(source, options.signal).then((arrived) => incoming(arrived, maxMemory, options))
    return new BitGen(await loadSession(file, { sources: KERNELS, target, threads, maxMemory }))
  }

  protected override pixelsOf(image: Pixels): Pixels {
    return image
  }

  protected override idsOf(ids: ArrayLike<number>): ArrayLike<number> {
    return ids
  }

  protected override textOfLabel(): undefined {
    return undefined
  }

  protected override pieces() {
    return { piece: (id: number) => id, caption: (result: SearchResult) => result }
  }
}
