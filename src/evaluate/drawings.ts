/**
 * Pictures as the episodic memory keeps them, and how alike it finds them: the material of one-shot recognition
 * (one-shot.ts) and of its thresholds (scope.ts). Each picture is taught to the model and taken back again, which costs
 * an image, a text and their fusion. What the model was taught before stays, unless its memory is full.
 */
import type { KnownPicture } from './baseline.ts'
import type { Progress } from './progress.ts'
import type { Stream } from '../base/rng.ts'
import { thumbnail } from '../data/thumbnail.ts'
import { decodeImage } from '../image/decode.ts'
import type { Pixels } from '../image/pixels.ts'
import { readSafetensors } from '../io/safetensors.ts'
import { EpisodicMemory, type MemoryEntry } from '../runtime/memory.ts'
import type { Model } from '../runtime/model.ts'

/** What teaches and is asked; the class of `bitgen` fits. */
export type Pupil = Model<Pixels, string, string>

/** An entry of readCaptions fits; the first caption is its label. */
export interface LabelledPicture extends KnownPicture {
  captions: readonly string[]
}

export interface Drawing {
  concept: string | number
  /** What the memory keeps of it. */
  kept: Pick<MemoryEntry, 'image' | 'text' | 'z'>
  /** Of its pixels [768] (data/thumbnail.ts). */
  thumbnail: Float32Array
}

/** What the memory compares: a picture, a text, or both together. */
export type Kind = 'image' | 'text' | 'code'

const KEPT = { image: 'image', text: 'text', code: 'z' } as const

/** Throws what decodeImage throws, and where the model was trained without a memory. */
export async function readDrawings(
  model: Pupil,
  pictures: readonly LabelledPicture[],
  progress: Progress,
): Promise<Drawing[]> {
  const { memory } = model
  const stage = progress('pictures', pictures.length)
  const drawings: Drawing[] = []
  for (const { path, concept, captions } of pictures) {
    const image = await decodeImage(path)
    const { id } = await memory.write({ image, label: captions[0] })
    const { tensors } = readSafetensors(memory.save())
    memory.forget(id)
    const last = (name: string) => {
      const { data, shape } = tensors.get(name)!
      return (data as Float32Array).slice(-shape[1])
    }
    const kept = { image: last('image'), text: last('text'), z: last('z') }
    drawings.push({ concept, kept, thumbnail: thumbnail(image) })
    stage.update(drawings.length)
  }
  stage.stop()
  return drawings
}

/** Similarity of every query with every drawing taught, as `recall` has it: a row [taught] for each query. */
export function similarities(taught: readonly Drawing[], queries: readonly Drawing[], kind: Kind): Float64Array[] {
  const [channels, imageLength] = [taught[0].kept.z.length, taught[0].kept.image.length]
  // Entries are ranked without the posterior: any prior serves.
  const prior = new Float32Array(channels).fill(1)
  const memory = new EpisodicMemory({ prior, slots: 1, channels, imageLength, capacity: taught.length })
  taught.forEach(({ kept }, i) => memory.write({ ...kept, id: String(i), label: '' }))
  return queries.map(({ kept }) => {
    const row = new Float64Array(taught.length)
    const ranked = memory.rank({ [kind]: kept[KEPT[kind]] })
    for (const { id, similarity } of ranked) row[Number(id)] = similarity
    return row
  })
}

/** A concept that both sets show: where its drawings stand in each. */
export interface SharedConcept {
  taught: number[]
  queries: number[]
}

/** In the order of the queries. */
export function sharedConcepts(taught: readonly Drawing[], queries: readonly Drawing[]): SharedConcept[] {
  const concepts = new Map(queries.map(({ concept }) => [concept, { taught: [], queries: [] } as SharedConcept]))
  taught.forEach(({ concept }, i) => concepts.get(concept)?.taught.push(i))
  queries.forEach(({ concept }, i) => concepts.get(concept)!.queries.push(i))
  return [...concepts.values()].filter((concept) => concept.taught.length > 0)
}

export function drawOne<T>(items: readonly T[], stream: Stream): T {
  return items[stream.below(items.length)]
}
