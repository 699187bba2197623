/**
 * All pictures of a data set in memory at the model's size: 12 KB each at 64 px. A picture that cannot be read is
 * named in quarantine.jsonl and another of the same set takes its place.
 */
import type { CaptionedImage } from '../data/coco.ts'
import { Quarantine } from '../data/quarantine.ts'
import { decodeImage } from '../image/decode.ts'
import type { Executor } from '../runtime/execute.ts'
import { resizeImage } from '../runtime/preprocess.ts'

export interface Pictures {
  /** RGB bytes [size, size, 3] of each image. */
  at(index: number): Uint8Array
}

/** Decodes and resizes; `onProgress` hears how many are done. Throws where more than 1 % cannot be read. */
export async function loadPictures(
  executor: Executor,
  images: readonly CaptionedImage[],
  size: number,
  quarantine: Quarantine,
  onProgress?: (done: number, all: number) => void,
): Promise<Pictures> {
  const bytes = size * size * 3
  const all = new Uint8Array(images.length * bytes)
  for (let i = 0; i < images.length; i++) {
    const pixels = await quarantine.read(images, i, (image) => decodeImage(image.path))
    all.set(resizeImage(executor, pixels, size), i * bytes)
    onProgress?.(i + 1, images.length)
  }
  return { at: (index) => all.subarray(index * bytes, (index + 1) * bytes) }
}
