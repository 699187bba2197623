/**
 * `model.memory`: teaches things in one write, without back-propagation, and recognises them (model.md section 6). An
 * entry fuses a picture with its text. A picture is recognised by its key (image-key.ts), a text by its contrastive
 * feature, both together by their code.
 */
import { requireThat } from '../base/errors.ts'
import { imageKey } from './image-key.ts'
import { EpisodicMemory, type MemoryMatch, type MemoryQuery } from './memory.ts'
import type { EncodedImage, Session } from './session.ts'

export interface Lesson<Image, Text> {
  image: Image
  label: string
  /** Default, where the entry point can read it: the label. */
  text?: Text
  /** Default: a number that no entry has or had. */
  id?: string
}

export interface Recollection extends MemoryMatch {
  /** Whether the similarity reaches the threshold of the model: 5 % of pictures of other things do. */
  inScope: boolean
}

/** How the entry point reads images and texts. */
export interface Reader<Image, Text> {
  encodeImage(image: Image): Promise<ReturnType<Session['encodeImage']>>
  encodeText(text: Text): ReturnType<Session['encodeText']>
  textOfLabel(label: string): Text | undefined
}

export class Recognition<Image, Text> {
  private readonly session: Session
  private readonly reader: Reader<Image, Text>
  private memory: EpisodicMemory

  /** Throws where the model was trained without a memory. */
  constructor(session: Session, reader: Reader<Image, Text>) {
    this.session = session
    this.reader = reader
    this.memory = new EpisodicMemory(session.memoryOptions)
  }

  /** Remembers a picture under a label. Where the memory is full (1024 entries) the oldest is forgotten first. */
  async write({ image, label, text, id }: Lesson<Image, Text>): Promise<{ id: string; evicted?: string }> {
    const said = text ?? this.reader.textOfLabel(label)
    requireThat(said !== undefined, 'memory.write', 'must be given a text')
    const picture = await this.reader.encodeImage(image)
    const words = this.reader.encodeText(said)
    const { code } = this.session.fuse(words, picture)
    return this.memory.write({ id, label, z: code, image: imageKey(picture), text: words.feature })
  }

  /** The entry that is most like the image, the text, or both together; null while nothing is remembered. */
  async recall(query: { image?: Image; text?: Text }): Promise<Recollection | null> {
    const { image, text } = query
    requireThat(image !== undefined || text !== undefined, 'memory.recall', 'must be given an image or a text')
    const picture = image === undefined ? undefined : await this.reader.encodeImage(image)
    const words = text === undefined ? undefined : this.reader.encodeText(text)
    if (picture && words) return this.nearest({ code: this.session.fuse(words, picture).code })
    return this.nearest(picture ? { image: imageKey(picture) } : { text: words!.feature })
  }

  /** What the memory reads for a picture [C], where it is like one that was taught; null where not. */
  readFor(picture: EncodedImage): Float32Array | null {
    const match = this.nearest({ image: imageKey(picture) })
    return match?.inScope ? this.memory.read(this.memory.entry(match.id).z).z : null
  }

  /** Forgets an entry: everything is as if it had never been written. Throws on an unknown id. */
  forget(id: string): void {
    this.memory.forget(id)
  }

  /** Ids and labels, oldest first. */
  list(): { id: string; label: string }[] {
    return this.memory.list()
  }

  /** All entries as a file. */
  save(): Uint8Array {
    return this.memory.save()
  }

  /** Takes the entries of a file in place of its own. Throws a RangeError where it is damaged or of another model. */
  load(bytes: Uint8Array): void {
    this.memory = EpisodicMemory.load(bytes, this.session.memoryOptions)
  }

  private nearest(query: MemoryQuery): Recollection | null {
    const kind = query.image ? 'image' : query.text ? 'text' : 'code'
    const match = this.memory.nearest(query)
    return match && { ...match, inScope: match.similarity >= this.session.scope[kind] }
  }
}
