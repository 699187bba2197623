/**
 * A model as an evaluation asks it, in texts: features, match, code, caption and the loss of a text, on the session that
 * the public class runs on. What a model was not trained for it cannot be asked; the three `can` say so.
 */
import type { Pixels } from '../image/pixels.ts'
import { readModelFile, type ModelManifest } from '../io/model-file.ts'
import { Decoder } from '../runtime/decoder.ts'
import { EpisodicMemory } from '../runtime/memory.ts'
import type { EncodedImage, Session } from '../runtime/session.ts'
import { decodeIds } from '../text/stream.ts'
import { encodeText } from '../text/tokenizer.ts'
import { VocabularyMap } from '../text/vocabulary.ts'
import { foretell, type Foretold } from './reconstruction.ts'

export class Subject {
  readonly manifest: ModelManifest
  readonly canMatch: boolean
  readonly canCaption: boolean
  readonly canRemember: boolean
  private readonly session: Session
  private readonly vocabulary: VocabularyMap | undefined

  /** `bytes` are the file that the session was opened on. */
  constructor(session: Session, bytes: Uint8Array) {
    const { kept, prior } = readModelFile(bytes)
    this.session = session
    this.manifest = session.manifest
    this.vocabulary = kept && new VocabularyMap(kept)
    this.canMatch = session.canFuse
    this.canCaption = session.canCaption
    this.canRemember = this.canMatch && prior !== undefined
  }

  /** Unit vectors [pictures,C]. */
  imageFeatures(pictures: readonly Pixels[]): Float32Array {
    return this.session.imageFeatures(pictures).data
  }

  /** Unit vectors [texts,C]. */
  textFeatures(texts: readonly string[]): Float32Array {
    return this.session.textFeatures(texts.map((text) => this.ids(text))).data
  }

  encodeImage(picture: Pixels): EncodedImage {
    return this.session.encodeImage(picture)
  }

  /** Match against no match, as a logit at even odds. */
  margin(picture: EncodedImage, text: string): number {
    return this.session.matchOdds(this.session.encodeText(this.ids(text)), picture)
  }

  /**
   * What a memory reads for each of these pairs once it was taught all of them and nothing else: an episode of training
   * (model.md section 6). [C] each.
   */
  recallAll(episode: readonly { picture: EncodedImage; text: string }[]): Float32Array[] {
    const memory = new EpisodicMemory(this.session.memoryOptions)
    // Codes alone are read here.
    const image = new Float32Array(memory.imageLength)
    const codes = episode.map(({ picture, text }) => {
      return this.session.fuse(this.session.encodeText(this.ids(text)), picture).code
    })
    for (const z of codes) memory.write({ label: '', z, image, text: z })
    return codes.map((z) => memory.read(z).z)
  }

  /** A caption of a picture, greedy with one beam; `read` [C] is what a memory read for it. */
  caption(picture: EncodedImage, read: Float32Array | null, beams: number): string {
    const searching = this.session.caption(picture, read, { beams })
    for (;;) {
      const { value, done } = searching.next()
      if (done) return decodeIds(value.ids, this.manifest.prefix)
    }
  }

  /**
   * How each token of a text is foretold from those before it. Texts longer than those of training are cut; ids without
   * a row of their own count as the row that stands for all of them.
   */
  foretell(picture: EncodedImage, read: Float32Array | null, text: string): Foretold[] {
    const decoder = new Decoder(this.session.executor, picture.states, read)
    const ids = this.ids(text, decoder.maximumLength + 1)
    return foretell(
      decoder,
      ids.map((id) => this.vocabulary?.row(id) ?? id),
    )
  }

  private ids(text: string, most = this.manifest.maxLength): number[] {
    const { prefix, maxLength } = this.manifest
    return encodeText(text, { prefix, maxLength: Math.min(most, maxLength) })
  }
}
