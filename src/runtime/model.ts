/**
 * The public class, whatever images and texts are: `bitgen/core` takes pixels and ids, `bitgen` also paths, encoded
 * bytes and strings. Calls may overlap; each computes in one piece, so answers never mix.
 */
import { requireKind, requireThat } from '../base/errors.ts'
import type { Pixels } from '../image/pixels.ts'
import type { Features, ForwardInput, ForwardOutput, ModelInfo, Session } from './session.ts'

export abstract class Model<Image, Text> {
  private session: Session | undefined

  protected constructor(session: Session) {
    this.session = session
  }

  protected abstract pixelsOf(image: Image): Pixels | Promise<Pixels>
  protected abstract idsOf(text: Text): ArrayLike<number>

  /** The loaded session; throws after dispose. */
  protected get loaded(): Session {
    requireThat(this.session !== undefined, 'model', 'must not be used after dispose()')
    return this.session
  }

  /** The card's call: text states [1, T, C], and with `returnContrastiveFeatures` both unit vectors [1, C]. */
  async forward(input: ForwardInput<Image>): Promise<ForwardOutput> {
    const { inputIds, image, returnContrastiveFeatures = false } = input
    const pixels = await this.pixelsOf(image)
    const { states, features } = this.loaded.textStates(inputIds)
    const { channels, temperature } = this.loaded.manifest
    const output: ForwardOutput = {
      embeddings: { data: states, shape: [1, inputIds.length, channels] },
      temperature,
    }
    if (!returnContrastiveFeatures) return output
    return {
      ...output,
      contrastiveFeatures: { textFeatures: features, imageFeatures: this.loaded.imageFeatures([pixels]) },
    }
  }

  /** Unit vectors [n, C] of one text or several. */
  async embedText(text: Text | readonly Text[]): Promise<Features> {
    return this.loaded.textFeatures(this.isTexts(text) ? text.map((one) => this.idsOf(one)) : [this.idsOf(text)])
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

  /** Cosine of an image with each text, from -1 to 1. */
  async similarity(image: Image, text: Text | readonly Text[]): Promise<number[]> {
    requireKind(!Array.isArray(image), 'similarity', 'must be given one image', image)
    const picture = await this.embedImage(image)
    const { data, shape } = await this.embedText(text)
    return Array.from({ length: shape[0] }, (_, row) => {
      let sum = 0
      for (let c = 0; c < shape[1]; c++) sum += data[row * shape[1] + c] * picture.data[c]
      return sum
    })
  }

  /** What the model is, what it takes, and which kernels run it. */
  info(): ModelInfo {
    const { manifest, executor, fileBytes, verified } = this.loaded
    const { name, parameters } = manifest
    const { isa } = executor.kernels.manifest
    return { name, fileBytes, parameters, memory: executor.memoryUse, isa, verified, manifest }
  }

  /** Lets go of the memory. */
  dispose(): void {
    this.session = undefined
  }

  /** A text of ids is an array of numbers, texts are an array of texts. */
  private isTexts(text: Text | readonly Text[]): text is readonly Text[] {
    return Array.isArray(text) && typeof text[0] !== 'number'
  }
}
