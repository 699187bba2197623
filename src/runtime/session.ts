/**
 * A loaded model: what the public classes of both entry points share. It takes decoded pictures and ids; the entry
 * points say how their images and texts become that. Plans run one after the other on one memory.
 */
import { requireKind, requireThat } from '../base/errors.ts'
import type { Arg, Isa } from '../abi.ts'
import type { TensorData } from '../base/dtype.ts'
import { checkPixels, type Pixels } from '../image/pixels.ts'
import { KEPT, openModelFile, scaleName, type ModelFile, type ModelManifest } from '../io/model-file.ts'
import { decodeHalf } from '../quant/half.ts'
import { decodeRows } from '../quant/rows.ts'
import { batchIds, VOCABULARY, VocabularyMap } from '../text/vocabulary.ts'
import { Executor, type MemoryUse } from './execute.ts'
import { loadKernels, type KernelOptions } from './load.ts'
import { resizeImage, writePixels } from './preprocess.ts'
import { verify } from './verify.ts'

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
  /** The digests of the file were compared; false in pages without TLS, whose engines cannot. */
  verified: boolean
  manifest: ModelManifest
}

/** What a session calls outside of plans. */
const PREPROCESSING = ['resize_bilinear__u8', 'normalize_pixels__u8']

/** A model on memory of its own. `open` makes one; the entry points wrap it. */
export class Session {
  readonly manifest: ModelManifest
  readonly executor: Executor
  readonly fileBytes: number
  readonly verified: boolean
  private readonly vocabulary: VocabularyMap | undefined

  private constructor(
    executor: Executor,
    vocabulary: VocabularyMap | undefined,
    about: Pick<Session, 'manifest' | 'fileBytes' | 'verified'>,
  ) {
    this.executor = executor
    this.vocabulary = vocabulary
    this.manifest = about.manifest
    this.fileBytes = about.fileBytes
    this.verified = about.verified
  }

  /**
   * Checks the file, chooses kernels, lays out memory. Throws a RangeError where the file is damaged or asks for more
   * memory than the limit, before any is taken, and an Error where no kernels work here.
   */
  static async open(bytes: Uint8Array, options: KernelOptions): Promise<Session> {
    const { file, verified } = await openModelFile(bytes)
    const vocabulary = file.kept && new VocabularyMap(file.kept)
    requireTable(file, vocabulary?.size ?? VOCABULARY)
    const families = new Set([...PREPROCESSING, ...file.plans.flatMap(({ calls }) => calls.map(({ k }) => k))])
    const kernels = await loadKernels({ ...options, families })
    for (const plan of file.plans) verify(plan, kernels.manifest)
    const executor = new Executor(kernels, file.plans)
    for (const { name, dtype } of executor.names('weight')) {
      const weight = executor.tensor(name!)
      const { length } = weight
      const stored = storedWeight(file, name!, dtype === 't2')
      requireThat(stored.length === length, `model file: ${name}`, `must have ${length} elements`, stored.length)
      weight.set(stored as Float32Array)
    }
    return new Session(executor, vocabulary, { manifest: file.manifest, fileBytes: bytes.length, verified })
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

  /** Text states [1, T, C] of one text, with its unit vector. */
  textStates(ids: ArrayLike<number>): { states: Float32Array; features: Features } {
    const features = this.textFeatures([ids])
    // Outputs stay in memory until the next run.
    const states = this.executor.io('encodeText', 'embeddings', { B: 1, T: ids.length }).slice() as Float32Array
    return { states, features }
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

/** Ids are not checked by kernels: the table, first operand of the call that takes them, must have a row for each. */
function requireTable({ plans }: ModelFile, rows: number): void {
  const plan = plans.find(({ name }) => name === 'encodeText')!
  const ids = plan.buffers.findIndex(({ name }) => name === 'ids')
  const isIds = (arg: Arg) => typeof arg === 'object' && arg.at === ids
  const [table] = plan.calls.find(({ a }) => a.some(isIds))?.a ?? []
  const got = typeof table === 'object' ? plan.buffers[table.at]?.shape[0] : undefined
  requireThat(got === rows, 'model file', `the table of ids must have ${rows} rows`, got ?? null)
}

/** A weight as its plan wants it: packed codes as they are, everything else in f32. */
export function storedWeight({ tensors }: ModelFile, name: string, packed: boolean): TensorData {
  const tensor = tensors.get(name)
  requireThat(tensor !== undefined && name !== KEPT, 'model file', `must hold the weight ${name}`)
  const { dtype, data, shape } = tensor
  if (packed || dtype === 'F32') return data as TensorData
  if (dtype === 'F16') return decodeHalf(data as Uint16Array)
  const scales = tensors.get(scaleName(name))
  const fits = dtype === 'I8' && shape.length === 2 && scales?.dtype === 'F32'
  requireThat(fits, `model file: ${name}`, 'must be F32, F16, or I8 [N, K] with scales', dtype)
  return decodeRows({ codes: data as Int8Array, scales: scales!.data as Float32Array }, shape[0], shape[1])
}
