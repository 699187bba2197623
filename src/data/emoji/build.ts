/**
 * Builds the emoji corpus: installs the sources, deals concepts to splits, draws every picture as a PNG of 128 x 128
 * on white, drops training pictures that nearly equal a held-out one, and writes COCO captions with a manifest.
 * Run again, it continues where it stopped and changes nothing once complete. About a minute and a half on one core.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { attempt, errorText, message } from '../../base/errors.ts'
import { decodeImage } from '../../image/decode.ts'
import { replaceFile } from '../../io/replace-file.ts'
import { similarity, thumbnail } from '../thumbnail.ts'
import { ARTISTS, type Artist } from './artists.ts'
import { readConcepts, type Concept } from './concepts.ts'
import { sideOf } from './groups.ts'
import { installSources, lockedVersions } from './sources.ts'

export const SPLITS = ['train', 'dev_style', 'val_style', 'val_concept', 'oneshot'] as const
export type Split = (typeof SPLITS)[number]

export interface BuildOptions {
  /** Folder of the corpus; made where missing. */
  out: string
  onProgress?(progress: { stage: string; done: number; total: number }): void
}

export interface BuildResult {
  /** Pictures of each split. */
  counts: Record<Split, number>
  /** Training pictures left out because a held-out picture looks the same, as paths below images/. */
  nearDuplicates: string[]
  /** sha256 of data.manifest.json, which a trained model carries. */
  digest: string
}

const SIDE = 128
/** Thumbnails more alike than this are one picture: at .97 mostly moons, plain shapes and Noto's own faces. */
const SAME = 0.97
const DEV_ARTIST = 'fxemoji'
const HELD_OUT_ARTIST = 'emojione'
const UNSEEN_ARTIST = 'noto'

interface Picture {
  split: Split
  artist: Artist
  concept: Concept
  /** Path below images/, with `/`. */
  file: string
  svg: string
}

/** Builds the corpus in `out`. Throws an Error naming the file or package at fault. */
export async function buildEmoji(options: BuildOptions): Promise<BuildResult> {
  const { out, onProgress } = options
  onProgress?.({ stage: 'install sources', done: 0, total: 1 })
  const modules = await installSources(join(out, 'sources'))
  startAfresh(out)
  const pictures = listPictures(modules)
  for (const artist of ARTISTS) mkdirSync(join(out, 'images', artist.id), { recursive: true })

  const thumbnails = new Map<Picture, Float32Array>()
  const digests = new Map<Picture, string>()
  for (const [i, picture] of pictures.entries()) {
    const path = join(out, 'images', picture.file)
    if (!existsSync(path)) put(path, await draw(picture))
    const png = readFileSync(path)
    digests.set(picture, sha256(png))
    thumbnails.set(picture, thumbnail(await decodeImage(png, { name: path })))
    onProgress?.({ stage: 'draw', done: i + 1, total: pictures.length })
  }
  const dropped = nearDuplicates(pictures, thumbnails, options)
  const kept = pictures.filter((picture) => !dropped.has(picture))
  const captions = writeAnnotations(out, kept)
  const counts = Object.fromEntries(SPLITS.map((split) => [split, kept.filter((p) => p.split === split).length]))
  const nearlySame = [...dropped].map((picture) => picture.file)
  const digest = writeManifest(out, { counts, nearlySame, kept, digests, captions })
  return { counts: counts as Record<Split, number>, nearDuplicates: nearlySame, digest }
}

/** Removes pictures that were drawn from other versions of the sources or by another sharp. */
function startAfresh(out: string): void {
  const recipe = JSON.stringify({ side: SIDE, sources: lockedVersions(), sharp: sharp.versions }, null, 2)
  const path = join(out, 'sources', 'drawn-with.json')
  if (existsSync(path) && readFileSync(path, 'utf8') === recipe) return
  rmSync(join(out, 'images'), { recursive: true, force: true })
  writeFileSync(path, recipe)
}

/** The split of an artist's drawing, or undefined where it is not used. */
export function splitOf(artist: string, name: string): Split | undefined {
  const side = sideOf(name)
  if (side === 'out') return undefined
  if (artist === HELD_OUT_ARTIST) return side === 'seen' ? 'val_style' : 'oneshot'
  if (side === 'unseen') return artist === UNSEEN_ARTIST ? 'val_concept' : undefined
  return artist === DEV_ARTIST ? 'dev_style' : 'train'
}

function listPictures(modules: string): Picture[] {
  const concepts = readConcepts(modules)
  return ARTISTS.flatMap((artist) =>
    artist.drawings(modules, concepts).flatMap(({ concept, svg }) => {
      const split = splitOf(artist.id, concept.name)
      return split ? [{ split, artist, concept, file: `${artist.id}/${concept.code}.png`, svg }] : []
    }),
  )
}

async function draw(picture: Picture): Promise<Buffer> {
  try {
    // Drawn at about the final size at once: librsvg scales by density, 72 a pixel of the file's own box.
    const { width = SIDE, height = SIDE } = await sharp(Buffer.from(picture.svg)).metadata()
    const density = Math.max(1, (72 * SIDE) / Math.max(width, height))
    return await sharp(Buffer.from(picture.svg), { density })
      .resize(SIDE, SIDE, { fit: 'contain', background: '#ffffff00' })
      .flatten({ background: '#ffffff' })
      .png({ compressionLevel: 9 })
      .toBuffer()
  } catch (error) {
    throw new Error(message('emoji', `${picture.file} must be drawable: ${errorText(error)}`))
  }
}

/** Puts a picture there whole or not at all. Its part is of this process alone: another may build the same corpus. */
function put(path: string, png: Buffer): void {
  const part = `${path}.${process.pid}.part`
  try {
    attempt(path, 'must be writable', () => {
      writeFileSync(part, png)
      renameSync(part, path)
    })
  } finally {
    rmSync(part, { force: true })
  }
}

/** Training pictures whose thumbnail nearly equals that of any held-out picture. */
function nearDuplicates(
  pictures: readonly Picture[],
  thumbnails: Map<Picture, Float32Array>,
  { onProgress }: BuildOptions,
): Set<Picture> {
  const heldOut = pictures.filter((picture) => picture.split !== 'train').map((picture) => thumbnails.get(picture)!)
  const training = pictures.filter((picture) => picture.split === 'train')
  const same = new Set<Picture>()
  for (const [i, picture] of training.entries()) {
    const own = thumbnails.get(picture)!
    if (heldOut.some((other) => similarity(own, other) > SAME)) same.add(picture)
    onProgress?.({ stage: 'compare', done: i + 1, total: training.length })
  }
  return same
}

/** Writes annotations/captions_<split>.json and returns all captions by picture. Ids count over all splits. */
function writeAnnotations(out: string, pictures: readonly Picture[]): Map<Picture, string[]> {
  mkdirSync(join(out, 'annotations'), { recursive: true })
  const captions = new Map<Picture, string[]>()
  let captionId = 0
  for (const split of SPLITS) {
    const images: object[] = []
    const annotations: object[] = []
    for (const [i, picture] of pictures.entries()) {
      if (picture.split !== split) continue
      const { artist, concept, file } = picture
      const own = split === 'train' ? [concept.name, ...concept.alternatives] : [concept.name]
      captions.set(picture, own)
      const keywords = split === 'train' ? { keywords: concept.keywords } : {}
      const id = i + 1
      images.push({
        id,
        file_name: file,
        width: SIDE,
        height: SIDE,
        concept: concept.code,
        ...keywords,
        artist: artist.id,
      })
      for (const caption of own) annotations.push({ id: ++captionId, image_id: id, caption })
    }
    const info = { description: `Emoji artwork, split ${split}`, split }
    writeJson(join(out, 'annotations', `captions_${split}.json`), { info, images, annotations })
  }
  return captions
}

interface ManifestParts {
  counts: object
  nearlySame: string[]
  kept: readonly Picture[]
  digests: Map<Picture, string>
  captions: Map<Picture, string[]>
}

/** Writes data.manifest.json and returns its sha256. */
function writeManifest(out: string, { counts, nearlySame, kept, digests, captions }: ManifestParts): string {
  const attributions = ARTISTS.map((artist) => ({
    id: artist.id,
    title: artist.title,
    author: artist.author,
    url: artist.url,
    licence: artist.licence,
    source: `${artist.package}@${lockedVersions()[artist.package]}`,
    pictures: kept.filter((picture) => picture.artist === artist).length,
  }))
  const images = kept.map((picture) => ({
    file: picture.file,
    split: picture.split,
    sha256: digests.get(picture),
    captions: captions.get(picture)!.map((caption) => sha256(caption)),
  }))
  const manifest = {
    name: 'emoji',
    counts,
    attributions,
    sources: lockedVersions(),
    nearDuplicates: nearlySame,
    images,
  }
  return writeJson(join(out, 'data.manifest.json'), manifest)
}

/** Writes the file in one step, so that a reader never sees half of it; returns its sha256. */
function writeJson(path: string, value: object): string {
  const text = `${JSON.stringify(value, null, 1)}\n`
  replaceFile(path, Buffer.from(text))
  return sha256(text)
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
