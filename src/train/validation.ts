/**
 * The validation images as the model in training sees them: features for retrieval, and the losses and metrics of the
 * objective. By the kernels and in the order of the exported model.
 */
import { Stream, USE } from '../base/rng.ts'
import type { RetrievalFeatures } from '../evaluate/retrieval.ts'
import { patches, type ModelConfig } from '../model/config.ts'
import type { Executor } from '../runtime/execute.ts'
import { writePixels } from '../runtime/preprocess.ts'
import type { TrainData } from './data.ts'
import { feedTexts, type FeedSample } from './feed.ts'
import { meanScores, scoresOf, type Scores } from './scores.ts'

export class Validation {
  private readonly executor: Executor
  private readonly model: ModelConfig
  private readonly data: TrainData
  private readonly seed: number

  /** The executor has the plans encodeImage, encodeText and validate. */
  constructor(executor: Executor, model: ModelConfig, data: TrainData, seed: number) {
    this.executor = executor
    this.model = model
    this.data = data
    this.seed = seed
  }

  /** Every caption and image, for evaluateRetrieval. */
  features(): RetrievalFeatures {
    const { images, pixels } = this.data.validation
    const captions = images.flatMap((image) => image.captions)
    const pictures = images.map((_, i) => pixels(i))
    return {
      text: this.encodeTexts(captions, 'text_features'),
      image: this.encodeImages(pictures, 'image_features'),
      channels: this.model.channels,
      captionOf: images.flatMap((image, i) => image.captions.map(() => i)),
    }
  }

  /** Losses and metrics: first captions, reconstructed from the image alone, negatives drawn from batches. */
  scores(): Scores {
    const { executor, data, model } = this
    const { images, pixels } = data.validation
    const concepts = new Map<string | number, number>()
    const samples = images.map(({ captions, concept }, i): FeedSample => {
      if (!concepts.has(concept)) concepts.set(concept, concepts.size)
      const stream = new Stream(this.seed, 0, i, USE.match)
      const draws = [stream.next(), stream.next()] as const
      const [caption] = captions
      return { caption, target: caption, concept: concepts.get(concept)!, readsMemory: false, draws, number: i }
    })
    const batches = []
    const most = executor.maximum('validate', 'B')
    for (let from = 0; from < samples.length; from += most) {
      const part = samples.slice(from, from + most)
      const options = { encode: data.encode, imageKeys: 1 + patches(model), hardness: 1 }
      const symbols = feedTexts(executor, 'validate', part, options)
      part.forEach((_, i) => writePixels(executor, 'validate', pixels(from + i), i, symbols))
      executor.run('validate', symbols)
      batches.push({ scores: scoresOf(executor, 'validate', symbols), samples: part.length })
    }
    return meanScores(batches)
  }

  /** One output [n,C] of encodeText. */
  encodeTexts(texts: readonly string[], output: string): Float32Array {
    return this.executor.runInParts('encodeText', output, this.model.channels, texts, (part) => {
      const { ids, lengths, T } = this.data.encode(part)
      const symbols = { B: part.length, T }
      this.executor.io('encodeText', 'ids', symbols).set(ids)
      this.executor.io('encodeText', 'lengths', symbols).set(lengths)
      return symbols
    })
  }

  /** One output [n,C] of encodeImage for RGB bytes. */
  encodeImages(pictures: readonly Uint8Array[], output: string): Float32Array {
    return this.executor.runInParts('encodeImage', output, this.model.channels, pictures, (part) => {
      const symbols = { B: part.length }
      part.forEach((rgb, i) => writePixels(this.executor, 'encodeImage', rgb, i, symbols))
      return symbols
    })
  }
}
