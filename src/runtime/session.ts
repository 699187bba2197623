/**
 * A loaded model: what the public classes of both entry points share. It takes decoded pictures and ids; the entry
 * points say how their images and texts become that. Plans run one after the other on one memory.
 */
import { requireKind, requireThat } from '../base/errors.ts'
import type { Isa } from '../abi.ts'
import { checkPixels, type Pixels } from '../image/pixels.ts'
import { readModelFile, type ModelManifest, type Scope } from '../io/model-file.ts'
import type { Tensor } from '../io/safetensors.ts'
import { batchIds, EOS, VOCABULARY, VocabularyMap } from '../text/vocabulary.ts'
import { Decoder } from './decoder.ts'
import type { Executor } from './execute.ts'
import { imageKeyLength } from './image-key.ts'
import type { Trial } from './kernels.ts'
import type { MemoryUse } from './layout.ts'
import { loadKernels, type KernelsAhead } from './load.ts'
import type { MemoryOptions } from './memory.ts'
import { resizeImage, writePixels } from './preprocess.ts'
import { search, type Searching, type SearchOptions } from './search.ts'
import { requireSound } from './sound.ts'
import { threadsFor } from './thread-count.ts'
import { executorOf, requireTable } from './weights.ts'

/** Rows of numbers. */
export interface Features {
  data: Float32Array
  shape: [rows: number, columns: number]
}

export interface ForwardInput<Image> {
  /** Ids of GPT-2 with BOS and EOS, one text. */
  inputIds: ArrayLike<number>
  image: Image
  returnContrastiveFeatures?: boolean
}

export interface ForwardOutput {
  /** Text states [1, T, C]: the fused ones, which equal the unimodal ones while fusion is untrained (alpha 0). */
  embeddings: { data: Float32Array; shape: [1, number, number] }
  /** Unit vectors [1, C]; their dot product is the similarity. */
  contrastiveFeatures?: { textFeatures: Features; imageFeatures: Features }
  temperature: number
}

export interface ModelInfo {
  name: string
  fileBytes: number
  parameters: Record<string, number>
  memory: MemoryUse
  isa: Isa
  /** Threads that run it. */
  threads: number
  /** Variants of kernels that were timed against each other at load, and those that this engine gets wrong. */
  trials: readonly Trial[]
  struckOut: ReadonlyMap<string, string>
  manifest: ModelManifest
}

/** What a picture leaves for matching, memory and captions; C channels, P patches. */
export interface EncodedImage {
  /** Unit vector [C]. */
  feature: Float32Array
  /** Vision tokens [1+P,C], which fusion takes, and unimodal states [1+P,C], which the decoder takes. */
  tokens: Float32Array
  states: Float32Array
}

/** What a text of T ids leaves. */
export interface EncodedText {
  /** Unit vector [C]. */
  feature: Float32Array
  /** Unimodal states [T,C], and the states [T,C] that fusion takes. */
  states: Float32Array
  prefix: Float32Array
}

/** A pair of text and image, fused. */
export interface FusedPair {
  /** Text states [T,C]. */
  states: Float32Array
  /** Logits of no match and match. */
  logits: Float32Array
  /** What the memory stores [C]. */
  code: Float32Array
}

/** ln 2: of the two mismatches to a match in training. */
const MISMATCHES = 0.6931471805599453

/** What a session calls outside of plans. */
const PREPROCESSING = ['resize_bilinear__u8', 'normalize_pixels__u8']

/** How a caption is searched: greedily and as long as the model has learnt to speak, unless said otherwise. */
export type CaptionSearch = Partial<Omit<SearchOptions, 'end' | 'banned'>>

/** Where a model states no thresholds. */
const EVERYTHING: Scope = { image: -Infinity, text: -Infinity, code: -Infinity }

/** A model on memory of its own. `open` makes one; the entry points wrap it. */
export class Session {
  readonly manifest: ModelManifest
  readonly executor: Executor
  readonly fileBytes: number
  private readonly vocabulary: VocabularyMap | undefined
  private readonly prior: Tensor | undefined

  private constructor(
    executor: Executor,
    vocabulary: VocabularyMap | undefined,
    prior: Tensor | undefined,
    about: Pick<Session, 'manifest' | 'fileBytes'>,
  ) {
    this.executor = executor
    this.vocabulary = vocabulary
    this.prior = prior
    this.manifest = about.manifest
    this.fileBytes = about.fileBytes
  }

  /**
   * Checks the file, chooses kernels, lays out memory. Throws a RangeError where the file is damaged or asks for more
   * memory than the limit, before any is taken, and an Error where no kernels work here.
   */
  static async open(bytes: Uint8Array, options: KernelsAhead): Promise<Session> {
    const file = readModelFile(bytes)
    // Before memory grows, if it lies there: that ends all views of it.
    const about = { manifest: file.manifest, fileBytes: bytes.length }
    const vocabulary = file.kept && new VocabularyMap(file.kept.slice())
    const prior = file.prior && { ...file.prior, data: file.prior.data.slice() }
    requireTable(file, vocabulary?.size ?? VOCABULARY)
    const { plans } = file
    const { threads = threadsFor(plans), ahead } = options
    const families = new Set([...PREPROCESSING, ...file.rows.tables.kernels])
    const kernels = await (ahead && threads === 1 ? ahead : loadKernels({ ...options, families, threads }))
    try {
      requireSound(file, kernels)
      const executor = executorOf(file, kernels)
      return new Session(executor, vocabulary, prior, about)
    } catch (error) {
      // Threads keep the memory of a model until it leaves them.
      kernels.team?.leave()
      throw error
    }
  }

  /** Images that run at once; more are run in parts. */
  get maximumImages(): number {
    return this.executor.maximum('encodeImage', 'B')
  }

  /** Decoded pictures to unit vectors [n, C]. */
  imageFeatures(pictures: readonly Pixels[]): Features {
    const size = this.manifest.image
    for (const picture of pictures) {
      requireKind(typeof picture === 'object' && picture !== null, 'image', 'must be { data, width, height }', picture)
      checkPixels(picture, 'image')
    }
    return this.features('encodeImage', 'image_features', pictures, (part) => {
      const symbols = { B: part.length }
      const resized = part.map((picture) => resizeImage(this.executor, picture, size))
      resized.forEach((rgb, i) => writePixels(this.executor, 'encodeImage', rgb, i, symbols))
      return symbols
    })
  }

  /** Ids of texts to unit vectors [n, C]. */
  textFeatures(texts: readonly ArrayLike<number>[]): Features {
    for (const ids of texts) this.checkIds(ids)
    return this.features('encodeText', 'text_features', texts, (part) => this.writeTexts(part))
  }

  /** Everything of one decoded picture. */
  encodeImage(picture: Pixels): EncodedImage {
    const feature = this.imageFeatures([picture]).data
    // Outputs stay in memory until the next run.
    const output = (name: string) => this.executor.io('encodeImage', name, { B: 1 }).slice() as Float32Array
    return { feature, tokens: output('vision_tokens'), states: output('image_states') }
  }

  /** Everything of one text. */
  encodeText(ids: ArrayLike<number>): EncodedText {
    const feature = this.textFeatures([ids]).data
    const symbols = { B: 1, T: ids.length }
    const output = (name: string) => this.executor.io('encodeText', name, symbols).slice() as Float32Array
    return { feature, states: output('embeddings'), prefix: output('text_prefix') }
  }

  /** Whether the model was trained to match and to caption. */
  get canFuse(): boolean {
    return this.executor.hasPlan('fuse')
  }

  /** Whether the model was trained to caption. */
  get canCaption(): boolean {
    return this.executor.hasPlan('startDecoding')
  }

  /** A text with an image. Throws where the model was not trained to match. */
  fuse(text: EncodedText, image: EncodedImage): FusedPair {
    requireThat(this.canFuse, 'match', 'must be asked of a model that was trained to match')
    const T = text.prefix.length / this.manifest.channels
    const symbols = { B: 1, T }
    const io = (name: string) => this.executor.io('fuse', name, symbols) as Float32Array
    io('text_prefix').set(text.prefix)
    io('lengths').set([T])
    io('vision_tokens').set(image.tokens)
    if (this.executor.hasIo('fuse', 'text_features')) {
      io('text_features').set(text.feature)
      io('image_features').set(image.feature)
    }
    this.executor.run('fuse', symbols)
    return { states: io('embeddings').slice(), logits: io('match_logits').slice(), code: io('code').slice() }
  }

  /**
   * Logarithm of the odds that a text and an image belong together, where both answers are as likely beforehand. Training
   * has one match to two mismatches, which its logits count with.
   */
  matchOdds(text: EncodedText, image: EncodedImage): number {
    const [no, yes] = this.fuse(text, image).logits
    return yes - no + MISMATCHES
  }

  /** Searches a caption, in ids of GPT-2, for a picture; `read` [C] is what the memory reads for it. */
  *caption(image: EncodedImage, read: Float32Array | null, options: CaptionSearch): Searching {
    const decoder = new Decoder(this.executor, image.states, read)
    const most = decoder.maximumLength
    const { maxTokens = most, beams = 1, temperature = 0, topP = 1, seed = 0 } = options
    requireThat(maxTokens <= most, 'caption', `maxTokens must be at most ${most}`, maxTokens)
    const widest = decoder.maximumWidth
    requireThat(beams <= widest, 'caption', `beams must be at most ${widest}`, beams)
    const end = this.vocabulary?.row(EOS) ?? EOS
    // The row that stands for all ids without one of their own is no word.
    const banned = this.vocabulary ? [this.vocabulary.size - 1] : []
    const { logits, columns, caches } = decoder.step([end], 0, [])
    const start = { logits, columns, cache: caches[0], position: 1 }
    const searching = search(decoder, start, { maxTokens, beams, temperature, topP, seed, end, banned })
    const idOf = (row: number) => this.vocabulary?.id(row) ?? row
    for (;;) {
      const { value, done } = searching.next()
      if (done) return { ...value, ids: value.ids.map(idOf) }
      yield value === null ? null : idOf(value)
    }
  }

  /** What an episodic memory of this model is made from. Throws where the model was trained without one. */
  get memoryOptions(): MemoryOptions {
    requireThat(
      this.prior !== undefined && this.canFuse,
      'memory',
      'must be asked of a model that was trained with one',
    )
    const { shape, data } = this.prior
    const [slots, channels] = shape
    const rows = this.executor.io('encodeImage', 'image_states', { B: 1 }).length / channels
    return { prior: data as Float32Array, slots, channels, imageLength: imageKeyLength(rows - 1, channels) }
  }

  /** Thresholds of recognition; where the model states none, everything that was taught is in scope. */
  get scope(): Scope {
    return this.manifest.scope ?? EVERYTHING
  }

  private writeTexts(texts: readonly ArrayLike<number>[]): Record<string, number> {
    const { ids, lengths, T } = batchIds(texts, this.vocabulary)
    const symbols = { B: texts.length, T }
    this.executor.io('encodeText', 'ids', symbols).set(ids)
    this.executor.io('encodeText', 'lengths', symbols).set(lengths)
    return symbols
  }

  private checkIds(ids: ArrayLike<number>): void {
    const { maxLength } = this.manifest
    const isList = typeof ids === 'object' && ids !== null && typeof ids.length === 'number'
    requireKind(isList, 'inputIds', 'must be an array of ids', ids)
    requireThat(ids.length >= 1 && ids.length <= maxLength, 'inputIds', `must have 1 to ${maxLength} ids`, ids.length)
    for (const id of Array.from(ids)) {
      const known = Number.isInteger(id) && id >= 0 && id < VOCABULARY
      requireThat(known, 'inputIds', `must be whole numbers from 0 to ${VOCABULARY - 1}`, id)
    }
  }

  private features<T>(
    plan: string,
    output: string,
    items: readonly T[],
    write: (part: readonly T[]) => Record<string, number>,
  ): Features {
    const { channels } = this.manifest
    return { data: this.executor.runInParts(plan, output, channels, items, write), shape: [items.length, channels] }
  }
}
