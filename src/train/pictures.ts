/**
 * All pictures of a data set in memory at the model's size: 12 KB each at 64 px. A picture that cannot be read is
 * named in quarantine.jsonl, and the next one of the set stands in its place, captions and all.
 */
import type { CaptionedImage } from '../data/coco.ts'
import type { Quarantine } from '../data/quarantine.ts'
import { decodeImage } from '../image/decode.ts'
import type { Executor } from '../runtime/execute.ts'
import { resizeImage } from '../runtime/preprocess.ts'

export interface PictureSet {
  /** The images as they are used: replacements stand where bad ones stood. */
  images: CaptionedImage[]
  /** RGB bytes [size, size, 3] of each. */
  pixels(index: number): Uint8Array
}

/** Decodes and resizes; `onPicture` hears of each. Throws where more than 1 % cannot be read. */
export async function loadPictures(
  executor: Executor,
  images: readonly CaptionedImage[],
  size: number,
  quarantine: Quarantine,
  onPicture: () => void,
): Promise<PictureSet> {
  const bytes = size * size * 3
  const all = new Uint8Array(images.length * bytes)
  const used: CaptionedImage[] = []
  for (let i = 0; i < images.length; i++) {
    const picture = await quarantine.read(images, i, async (image) => ({
      image,
      pixels: await decodeImage(image.path),
    }))
    all.set(resizeImage(executor, picture.pixels, size), i * bytes)
    used.push(picture.image)
    onPicture()
  }
  return { images: used, pixels: (index) => all.subarray(index * bytes, (index + 1) * bytes) }
}
