/**
 * What a run trains and validates on: pictures in memory, captions, and the vocabulary.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorText, message, requireThat } from '../base/errors.ts'
import { readCaptions, type CaptionedImage } from '../data/coco.ts'
import { Quarantine } from '../data/quarantine.ts'
import { Executor } from '../runtime/execute.ts'
import type { Kernels } from '../runtime/kernels.ts'
import { encodeBatch, encodeText, VocabularyMap, type TokenBatch } from '../text/tokenizer.ts'
import type { Picture } from './batches.ts'
import type { TrainConfig } from './config.ts'
import { loadPictures, type Pictures } from './pictures.ts'

export interface TrainData {
  train: Picture[]
  trainPictures: Pictures
  validation: CaptionedImage[]
  validationPictures: Pictures
  /** GPT-2 ids that the training texts use, EOS among them. */
  seenIds: Int32Array
  /** Texts as ids, or with `vocabulary: seen` as rows of the smaller table. */
  encode(texts: readonly string[]): TokenBatch
  /** Rows of the vocabulary table. */
  vocabulary: number
  /** sha256 of the data manifest and the attributions that it lists, where the configuration names one. */
  source: { sha256: string; attributions: unknown } | null
}

/** Reads everything; `onProgress` hears of pictures. Throws where a set is empty, or both share an image file. */
export async function loadTrainData(
  kernels: Kernels,
  config: TrainConfig,
  onProgress?: (done: number, all: number) => void,
): Promise<TrainData> {
  const { data, model } = config
  const images = readCaptions(data.train, data.images)
  const validation = readCaptions(data.validation, data.images)
  const trained = new Set(images.map(({ path }) => path))
  const shared = validation.find(({ path }) => trained.has(path))
  requireThat(!shared, data.validation, 'must have no image of the training set', shared?.path)

  const tokenizer = { prefix: model.prefix, maxLength: Math.min(config.maxTokens, model.maxLength) }
  const texts = images.flatMap(({ captions, keywords }) => [...captions, ...keywords])
  const seenIds = new VocabularyMap(texts.flatMap((text) => encodeText(text, tokenizer))).kept
  const map = config.vocabulary === 'seen' ? new VocabularyMap(seenIds) : undefined

  // Memory of the kernels is free until the training plans are laid out: pictures are copied out of it.
  const workshop = new Executor(kernels, [])
  const quarantine = new Quarantine(join(config.output, 'quarantine.jsonl'), images.length + validation.length)
  const progress = (before: number) => (done: number) => onProgress?.(before + done, images.length + validation.length)
  return {
    train: toPictures(images),
    trainPictures: await loadPictures(workshop, images, model.image, quarantine, progress(0)),
    validation,
    validationPictures: await loadPictures(workshop, validation, model.image, quarantine, progress(images.length)),
    seenIds,
    encode: (batch) => encodeBatch(batch, tokenizer, map),
    vocabulary: map ? map.size : model.vocabulary,
    source: data.manifest === undefined ? null : readSource(data.manifest),
  }
}

/** Concepts become numbers in order of appearance; an image without one is a concept of its own. */
function toPictures(images: readonly CaptionedImage[]): Picture[] {
  const numbers = new Map<string, number>()
  return images.map(({ captions, keywords, concept }, i) => {
    const key = concept === undefined ? `image ${i}` : `concept ${concept}`
    if (!numbers.has(key)) numbers.set(key, numbers.size)
    return { captions, keywords, concept: numbers.get(key)! }
  })
}

function readSource(path: string): TrainData['source'] {
  try {
    const text = readFileSync(path)
    const { attributions } = JSON.parse(text.toString('utf8')) as { attributions?: unknown }
    return { sha256: createHash('sha256').update(text).digest('hex'), attributions: attributions ?? [] }
  } catch (error) {
    throw new Error(message(path, 'must be a readable data manifest', errorText(error)), { cause: error })
  }
}
