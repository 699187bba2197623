/**
 * What a run trains and validates on: pictures in memory, captions, and the vocabulary.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorText, message, requireThat } from '../base/errors.ts'
import { shuffle, USE } from '../base/rng.ts'
import { readCaptions, type CaptionedImage } from '../data/coco.ts'
import { Quarantine } from '../data/quarantine.ts'
import { Executor } from '../runtime/execute.ts'
import type { Kernels } from '../runtime/kernels.ts'
import { encodeBatch, encodeText } from '../text/tokenizer.ts'
import { VOCABULARY, VocabularyMap, type TokenBatch } from '../text/vocabulary.ts'
import type { Sample } from './batches.ts'
import type { TrainConfig } from './config.ts'
import { loadPictures, type PictureSet } from './pictures.ts'

/** An artist as data.manifest.json describes it: title, author, licence and so on beside the id. */
interface ArtistEntry {
  id: string
  [about: string]: unknown
}

/** Where the data came from, for the model file. */
export interface DataSource {
  /** Of the data manifest. */
  sha256: string
  /** Of the artists whose pictures are trained on. */
  attributions: ArtistEntry[]
}

export interface TrainData {
  train: PictureSet
  /** The training images as the sampler sees them. */
  samples: Sample[]
  validation: PictureSet
  /** Ids of GPT-2 that the training texts use. */
  seen: VocabularyMap
  /** Texts as ids, or with `vocabulary: seen` as rows of the smaller table. */
  encode(texts: readonly string[]): TokenBatch
  /** Rows of the vocabulary table. */
  vocabulary: number
  /** Where the configuration names a data manifest. */
  source: DataSource | null
  /** Of what is read from the files of captions, replacements in place: another data set cannot go on a run. */
  sha256: string
}

/**
 * Reads everything; `onProgress` hears of pictures. Throws where a set is empty, or both share an image file, and the
 * reason of `signal` where that ends it.
 */
export async function loadTrainData(
  kernels: Kernels,
  config: TrainConfig,
  onProgress?: (done: number, all: number) => void,
  signal?: AbortSignal,
): Promise<TrainData> {
  const { data, model } = config
  const { images, held } = readSets(config)

  const tokenizer = { prefix: model.prefix, maxLength: Math.min(config.maxTokens, model.maxLength) }
  const texts = images.flatMap(({ captions, keywords }) => [...captions, ...keywords])
  const seen = VocabularyMap.of(texts.flatMap((text) => encodeText(text, tokenizer)))
  const restricted = config.vocabulary === 'seen'
  // Kernels do not check ids, and those of GPT-2 lead into the table as they are.
  const hasRows = restricted || model.vocabulary === VOCABULARY
  requireThat(hasRows, 'config: model.vocabulary', `must be ${VOCABULARY} where vocabulary is full`, model.vocabulary)

  // Memory of the kernels is free until the training plans are laid out: pictures are copied out of it.
  const workshop = new Executor(kernels, [])
  const quarantine = new Quarantine(join(config.output, 'quarantine.jsonl'), images.length + held.length)
  let done = 0
  const onPicture = () => {
    signal?.throwIfAborted()
    onProgress?.(++done, images.length + held.length)
  }
  const load = (set: CaptionedImage[]) => loadPictures(workshop, set, model.image, quarantine, onPicture)
  const train = await load(images)
  const validation = eachOnce(await load(held))
  return {
    train,
    samples: toSamples(train.images),
    validation,
    seen,
    encode: (batch) => encodeBatch(batch, tokenizer, restricted ? seen : undefined),
    vocabulary: restricted ? seen.size : model.vocabulary,
    source: data.manifest === undefined ? null : readSource(data.manifest, train.images),
    sha256: digest([train, validation]),
  }
}

/** Images to train on and to validate on. Throws where both have an image file. */
function readSets(config: TrainConfig): { images: CaptionedImage[]; held: CaptionedImage[] } {
  const { data } = config
  const all = readCaptions(data.train, data.images)
  const sets = data.validation
    ? { images: all, held: readCaptions(data.validation, data.images) }
    : heldBack(all, config)
  const trained = new Set(sets.images.map(({ path }) => path))
  const shared = sets.held.find(({ path }) => trained.has(path))
  if (data.validation) requireThat(!shared, data.validation, 'must have no image of the training set', shared?.path)
  else requireThat(!shared, data.train, 'must list a file once where a share is held back', shared?.path)
  return sets
}

/** One set of which a share is held back, drawn by the seed. */
function heldBack(all: CaptionedImage[], { data, seed }: TrainConfig) {
  const count = Math.max(1, Math.round(data.validationShare * all.length))
  const must = 'must have images to train on beside those that are held back'
  requireThat(count < all.length, data.train, must, all.length)
  const isHeld = new Set(shuffle(all.length, seed, 0, 0, USE.split).subarray(0, count))
  return { images: all.filter((_, i) => !isHeld.has(i)), held: all.filter((_, i) => isHeld.has(i)) }
}

/** The set without the images that stand in for bad ones: where every image is asked for, one may not be there twice. */
function eachOnce({ images, pixels }: PictureSet): PictureSet {
  const first = [...new Set(images)].map((image) => images.indexOf(image))
  return { images: first.map((i) => images[i]), pixels: (index) => pixels(first[index]) }
}

/** Of texts and ids; paths and picture bytes, which may differ between machines, stay out. */
function digest(sets: readonly PictureSet[]): string {
  const hash = createHash('sha256')
  for (const { id, captions, keywords, concept } of sets.flatMap(({ images }) => images))
    hash.update(JSON.stringify([id, captions, keywords, concept]))
  return hash.digest('hex')
}

/** Concepts become numbers in order of appearance. */
function toSamples(images: readonly CaptionedImage[]): Sample[] {
  const numbers = new Map<string | number, number>()
  return images.map(({ captions, keywords, concept }) => {
    if (!numbers.has(concept)) numbers.set(concept, numbers.size)
    return { captions, keywords, concept: numbers.get(concept)! }
  })
}

/** The manifest lists every artist of the corpus; those of the training pictures are kept. */
function readSource(path: string, images: readonly CaptionedImage[]): DataSource {
  const artists = new Set(images.map(({ artist }) => artist))
  try {
    const text = readFileSync(path)
    const { attributions = [] } = JSON.parse(text.toString('utf8')) as { attributions?: ArtistEntry[] }
    return {
      sha256: createHash('sha256').update(text).digest('hex'),
      attributions: attributions.filter(({ id }) => artists.has(id)),
    }
  } catch (error) {
    throw new Error(message(path, 'must be a readable data manifest', errorText(error)), { cause: error })
  }
}
