/**
 * Entry `bitgen/core`: inference that embeds anywhere. Pixels and ids in, numbers out; no dependencies, no tokenizer, no
 * decoder, nothing of Node.
 */
import type { Isa } from './abi.ts'
import type { Pixels } from './image/pixels.ts'
import { KERNELS } from './kernels.ts'
import { fetchModel, type FetchOptions, type ModelSource } from './runtime/fetch.ts'
import { Model } from './runtime/model.ts'
import { Session } from './runtime/session.ts'

export type { Isa } from './abi.ts'
export type { Pixels } from './image/pixels.ts'
export type { ModelManifest } from './io/model-file.ts'
export type { MemoryUse } from './runtime/execute.ts'
export type { ModelSource } from './runtime/fetch.ts'
export type { Features, ForwardInput, ForwardOutput, ModelInfo } from './runtime/session.ts'

export interface LoadOptions extends FetchOptions {
  /** Only these kernels will do; default: the best that give the right answers here. */
  target?: Isa
}

export class BitGen extends Model<Pixels, ArrayLike<number>> {
  /** Loads a model from an address, bytes or a Response. Throws where it is damaged. */
  static async load(source: ModelSource, { target, ...options }: LoadOptions = {}): Promise<BitGen> {
    return new BitGen(await Session.open(await fetchModel(source, options), { sources: KERNELS, target }))
  }

  protected override pixelsOf(image: Pixels): Pixels {
    return image
  }

  protected override idsOf(ids: ArrayLike<number>): ArrayLike<number> {
    return ids
  }
}
