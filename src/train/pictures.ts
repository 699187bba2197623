/**
 * All pictures of a data set in memory at the model's size: 12 KB each at 64 px. A picture that cannot be read is
 * named in quarantine.jsonl, and the next one of the set stands in its place, captions and all.
 */
import type { CaptionedImage } from '../data/coco.ts'
import { Quarantine } from '../data/quarantine.ts'
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
  quarantineFile: string,
  onPicture: () => void,
): Promise<PictureSet> {
  const bytes = size * size * 3
  const all = new Uint8Array(images.length * bytes)
  const quarantine = new Quarantine({ file: quarantineFile, images })
  const used: CaptionedImage[] = []
  for (let i = 0; i < images.length; i++) {
    const { index, value } = await quarantine.load(i, ({ path }) => decodeImage(path))
    all.set(resizeImage(executor, value, size), i * bytes)
    used.push(images[index])
    onPicture()
  }
  return { images: used, pixels: (index) => all.subarray(index * bytes, (index + 1) * bytes) }
}
