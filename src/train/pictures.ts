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

/** Pictures that are decoded at a time: sharp works in threads of its own. */
const AT_ONCE = 8

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
  const load = async (i: number): Promise<void> => {
    const { image, pixels } = await quarantine.read(images, i, async (image) => ({
      image,
      pixels: await decodeImage(image.path),
    }))
    all.set(resizeImage(executor, pixels, size), i * bytes)
    used[i] = image
    onPicture()
  }
  for (let from = 0; from < images.length; from += AT_ONCE) {
    const count = Math.min(AT_ONCE, images.length - from)
    await Promise.all(Array.from({ length: count }, (_, i) => load(from + i)))
  }
  return { images: used, pixels: (index) => all.subarray(index * bytes, (index + 1) * bytes) }
}
