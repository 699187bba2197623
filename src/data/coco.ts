/**
 * Reads image-caption pairs: COCO captions JSON (captions_train2017.json and whatever has its form, several captions
 * an image) and Karpathy's dataset_coco.json. Entrance of every data set to training and evaluation. The whole file
 * is held in memory: 92 MB for COCO's training captions.
 */
import { existsSync, readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { errorText, message, show } from '../base/errors.ts'
import { isRecord } from '../io/json.ts'

export interface CaptionedImage {
  id: string | number
  /** Path of the picture file. */
  path: string
  /** At least one, trimmed, in the order of the file. */
  captions: string[]
  /** Words that belong to the picture but are no captions; of our own data sets, else empty. */
  keywords: string[]
  /** What the picture shows: pictures of one concept are positives of each other. The id where the file has none. */
  concept: string | number
  artist?: string
}

export interface ReadOptions {
  /** Karpathy's files only: 'train', 'val', 'test', or several as 'train+restval'. Default all. */
  split?: string
  /** Whether every picture file must exist; default true. */
  checkFiles?: boolean
}

type Json = Record<string, unknown>

/**
 * The images of `jsonPath` that have captions (others are left out); file names are relative to `imageDir`.
 * Throws an Error naming the file and the entry: unreadable or malformed JSON, missing fields, ids given twice,
 * annotations without their image, file names that leave `imageDir`, missing pictures, an empty set.
 */
export function readCaptions(jsonPath: string, imageDir: string, options: ReadOptions = {}): CaptionedImage[] {
  const fail: Fail = (must, got) => {
    throw new Error(message('readCaptions', `${jsonPath}: ${must}`, got))
  }
  const root = readObject(jsonPath, fail)
  if (!Array.isArray(root.images)) fail('images must be an array', root.images)
  const karpathy = !('annotations' in root)
  const at = (dir: string | undefined, name: string) => join(imageDir, dir ?? '', name)
  const entries = objects(root.images, 'images', fail)
  const all = karpathy
    ? readKarpathy(entries, at, options.split, fail)
    : readCoco(root, entries, at, options.split, fail)
  const images = all.filter((image) => image.captions.length > 0)
  if (images.length === 0) fail(`must have an image with a caption${options.split ? ` in ${options.split}` : ''}`)
  if (options.checkFiles ?? true) {
    const missing = images.filter((image) => !existsSync(image.path))
    if (missing.length > 0) {
      fail(`${missing.length} of ${images.length} pictures are missing, the first is ${show(missing[0].path)}`)
    }
  }
  return images
}

type Fail = (must: string, got?: unknown) => never
type PathOf = (dir: string | undefined, name: string) => string

function readObject(path: string, fail: Fail): Json {
  let root: unknown
  try {
    root = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    fail(`must be a readable JSON file: ${errorText(error)}`)
  }
  if (!isRecord(root)) fail('must hold a JSON object', root)
  return root
}

function readCoco(
  root: Json,
  entries: Json[],
  pathOf: PathOf,
  split: string | undefined,
  fail: Fail,
): CaptionedImage[] {
  if (split !== undefined) fail('split is for files of Karpathy; COCO has one file a split', split)
  if (!Array.isArray(root.annotations)) fail('annotations must be an array', root.annotations)
  const byId = new Map<unknown, CaptionedImage>()
  const images = entries.map((entry, i) => {
    const label = `images[${i}]`
    const id = identity(entry, 'id', label, fail)
    if (byId.has(id)) fail(`${label}.id must be unique`, id)
    const image = captioned(entry, id, pathOf(undefined, fileName(entry, 'file_name', label, fail)), label, fail)
    byId.set(id, image)
    return image
  })
  for (const [i, entry] of objects(root.annotations, 'annotations', fail).entries()) {
    const label = `annotations[${i}]`
    const image = byId.get(entry.image_id)
    if (!image) fail(`${label}.image_id must be the id of an image`, entry.image_id)
    image.captions.push(caption(entry, 'caption', label, fail))
  }
  return images
}

function readKarpathy(entries: Json[], pathOf: PathOf, split: string | undefined, fail: Fail): CaptionedImage[] {
  const wanted = split?.split('+')
  const ids = new Set<unknown>()
  return entries.flatMap((entry, i) => {
    const label = `images[${i}]`
    if (wanted && !wanted.includes(text(entry, 'split', label, fail))) return []
    const key = 'cocoid' in entry ? 'cocoid' : 'imgid'
    const id = identity(entry, key, label, fail)
    if (ids.has(id)) fail(`${label}.${key} must be unique`, id)
    ids.add(id)
    const dir = entry.filepath === undefined ? undefined : fileName(entry, 'filepath', label, fail)
    const image = captioned(entry, id, pathOf(dir, fileName(entry, 'filename', label, fail)), label, fail)
    if (!Array.isArray(entry.sentences)) fail(`${label}.sentences must be an array`, entry.sentences)
    const sentences = objects(entry.sentences, `${label}.sentences`, fail)
    image.captions = sentences.map((sentence, s) => caption(sentence, 'raw', `${label}.sentences[${s}]`, fail))
    return [image]
  })
}

/** An image without its captions. */
function captioned(entry: Json, id: string | number, path: string, label: string, fail: Fail): CaptionedImage {
  const keywords = entry.keywords ?? []
  if (!isStrings(keywords)) fail(`${label}.keywords must be an array of strings`, keywords)
  const concept = entry.concept === undefined ? id : identity(entry, 'concept', label, fail)
  const artist = entry.artist === undefined ? {} : { artist: text(entry, 'artist', label, fail) }
  return { id, path, captions: [], keywords, concept, ...artist }
}

function objects(list: unknown[], label: string, fail: Fail): Json[] {
  const bad = list.findIndex((entry) => !isRecord(entry))
  if (bad >= 0) fail(`${label}[${bad}] must be an object`, list[bad])
  return list as Json[]
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function text(entry: Json, key: string, label: string, fail: Fail): string {
  const value = entry[key]
  return typeof value === 'string' ? value : fail(`${label}.${key} must be a string`, value)
}

function caption(entry: Json, key: string, label: string, fail: Fail): string {
  const trimmed = text(entry, key, label, fail).trim()
  return trimmed === '' ? fail(`${label}.${key} must not be empty`) : trimmed
}

function identity(entry: Json, key: string, label: string, fail: Fail): string | number {
  const value = entry[key]
  return typeof value === 'string' || typeof value === 'number'
    ? value
    : fail(`${label}.${key} must be a string or a number`, value)
}

function fileName(entry: Json, key: string, label: string, fail: Fail): string {
  const name = text(entry, key, label, fail)
  const leaves = name === '' || isAbsolute(name) || name.split(/[\\/]/).includes('..')
  return leaves ? fail(`${label}.${key} must be a path below the image folder`, name) : name
}
