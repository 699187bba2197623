/**
 * The public class, whatever images and texts are: `bitgen/core` takes pixels and ids, `bitgen` also paths, encoded
 * bytes and strings. Calls may overlap; each computes in one piece, captions a token at a time, so answers never mix.
 */
import { requireKind, requireThat } from '../base/errors.ts'
import { dot } from '../base/linear.ts'
import { exp } from '../base/math.ts'
import type { Pixels } from '../image/pixels.ts'
import { CaptionStream, type CaptionWork } from './caption.ts'
import { Recognition } from './recognition.ts'
import { selfTest } from './self-test.ts'
import type {
  CaptionSearch,
  EncodedImage,
  EncodedText,
  Features,
  ForwardInput,
  ForwardOutput,
  ModelInfo,
  Session,
} from './session.ts'

export interface CaptionOptions extends CaptionSearch {
  /** Whether pictures like one that was taught read from the memory. Default true. */
  memory?: boolean
  signal?: AbortSignal
}

/** `Piece` is what captions come in: ids, or characters. */
export abstract class Model<Image, Text, Piece> {
  private session: Session | undefined
  private recognition: Recognition<Image, Text> | undefined

  protected constructor(session: Session) {
    this.session = session
  }

  protected abstract pixelsOf(image: Image): Pixels | Promise<Pixels>
  protected abstract idsOf(text: Text): ArrayLike<number>
  /** A label as a text, where the entry point can read one. */
  protected abstract textOfLabel(label: string): Text | undefined
  /** What ids of a caption are for the caller; a fresh one for every caption. */
  protected abstract pieces(): Omit<CaptionWork<Piece>, 'start'>

  /** The loaded session; throws after dispose. */
  protected get loaded(): Session {
    requireThat(this.session !== undefined, 'model', 'must not be used after dispose()')
    return this.session
  }

  /** The card's call: text states [1, T, C], and with `returnContrastiveFeatures` both unit vectors [1, C]. */
  async forward(input: ForwardInput<Image>): Promise<ForwardOutput> {
    const { inputIds, image, returnContrastiveFeatures = false } = input
    const picture = await this.encodeImage(image)
    const text = this.loaded.encodeText(inputIds)
    const { channels, temperature } = this.loaded.manifest
    const states = this.loaded.canFuse ? this.loaded.fuse(text, picture).states : text.states
    const output: ForwardOutput = { embeddings: { data: states, shape: [1, inputIds.length, channels] }, temperature }
    if (!returnContrastiveFeatures) return output
    const row = (data: Float32Array): Features => ({ data, shape: [1, channels] })
    const contrastiveFeatures = { textFeatures: row(text.feature), imageFeatures: row(picture.feature) }
    return { ...output, contrastiveFeatures }
  }

  /** Unit vectors [n, C] of one text or several. */
  async embedText(text: Text | readonly Text[]): Promise<Features> {
    return this.loaded.textFeatures(this.listOf(text).map((one) => this.idsOf(one)))
  }

  /** Unit vectors [n, C] of one image or several; a few are decoded at a time. */
  async embedImage(image: Image | readonly Image[]): Promise<Features> {
    const images = (Array.isArray(image) ? image : [image]) as readonly Image[]
    const { channels } = this.loaded.manifest
    const most = this.loaded.maximumImages
    const data = new Float32Array(images.length * channels)
    for (let from = 0; from < images.length; from += most) {
      const pixels = await Promise.all(images.slice(from, from + most).map((one) => this.pixelsOf(one)))
      data.set(this.loaded.imageFeatures(pixels).data, from * channels)
    }
    return { data, shape: [images.length, channels] }
  }

  /** Cosine of an image with each text, from -1 to 1: fast, for search among many. */
  async similarity(image: Image, text: Text | readonly Text[]): Promise<number[]> {
    requireKind(!Array.isArray(image), 'similarity', 'must be given one image', image)
    const picture = await this.embedImage(image)
    const { data, shape } = await this.embedText(text)
    const [texts, C] = shape
    return Array.from({ length: texts }, (_, row) => dot(data, row * C, picture.data, 0, C))
  }

  /**
   * Probability that an image and each text belong together, from 0 to 1, if that was as likely as not beforehand: both
   * are read together, which is slower than `similarity` and finer. Throws where the model was not trained to match.
   */
  async match(image: Image, text: Text | readonly Text[]): Promise<number[]> {
    requireKind(!Array.isArray(image), 'match', 'must be given one image', image)
    const picture = await this.encodeImage(image)
    return this.listOf(text).map((one) => {
      return 1 / (1 + exp(-this.loaded.matchOdds(this.encodeText(one), picture)))
    })
  }

  /**
   * Says what is in an image: await it for the whole caption, or read its pieces with `for await` as they come (with
   * beams all at the end). Fails where the model was not trained to caption.
   */
  caption(image: Image, options: CaptionOptions = {}): CaptionStream<Piece> {
    const { memory = true, signal, ...search } = options
    const start = async () => {
      const picture = await this.encodeImage(image)
      const read = memory && this.recognition ? this.recognition.readFor(picture) : null
      return this.loaded.caption(picture, read, search)
    }
    return new CaptionStream({ start, ...this.pieces() }, signal)
  }

  /** What was taught to this model since it was loaded. */
  get memory(): Recognition<Image, Text> {
    this.recognition ??= new Recognition(this.loaded, {
      encodeImage: (image) => this.encodeImage(image),
      encodeText: (text) => this.encodeText(text),
      textOfLabel: (label) => this.textOfLabel(label),
    })
    return this.recognition
  }

  /**
   * The digest of a fixed inference on this engine and its kernels, undefined where the engine cannot compute one; and
   * the digest that the model file states: other bits than there are a fault of the engine.
   */
  async selfTest(): Promise<{ digest: string | undefined; expected: string | null }> {
    const expected = this.loaded.manifest.selfTest
    return { digest: await selfTest(this.loaded), expected }
  }

  /** What the model is, what it takes, and which kernels run it. */
  info(): ModelInfo {
    const { manifest, executor, fileBytes } = this.loaded
    const { name, parameters } = manifest
    const { manifest: module, team, trials, struckOut } = executor.kernels
    const memory = executor.memoryUse
    const threads = team?.threads ?? 1
    return { name, fileBytes, parameters, memory, isa: module.isa, threads, trials, struckOut, manifest }
  }

  /** Lets go of the memory. Captions in progress fail. */
  dispose(): void {
    this.session?.executor.close()
    this.session = undefined
    this.recognition = undefined
  }

  private async encodeImage(image: Image): Promise<EncodedImage> {
    const pixels = await this.pixelsOf(image)
    return this.loaded.encodeImage(pixels)
  }

  private encodeText(text: Text): EncodedText {
    return this.loaded.encodeText(this.idsOf(text))
  }

  /** A text of ids is an array of numbers, texts are an array of texts. */
  private listOf(text: Text | readonly Text[]): readonly Text[] {
    const several = Array.isArray(text) && typeof text[0] !== 'number'
    return several ? (text as readonly Text[]) : [text as Text]
  }
}
