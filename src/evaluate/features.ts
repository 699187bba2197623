/**
 * Features of a captioned set, in small parts, so that memory grows by the features alone. Pictures that cannot be read
 * are noted and left out.
 */
import { errorText, message } from '../base/errors.ts'
import { decodeImage } from '../image/decode.ts'
import type { Pixels } from '../image/pixels.ts'
import type { Progress } from './progress.ts'
import type { Subject } from './subject.ts'

/** Pictures that are decoded at a time, and texts that are encoded between two looks at the progress. */
const [PICTURES, TEXTS] = [8, 512]

/** What makes unit vectors [pictures,C] of some pictures. */
export interface PictureEncoder {
  manifest: { channels: number }
  imageFeatures(pictures: readonly Pixels[]): Float32Array | Promise<Float32Array>
}

/** Unit vectors [readable,C], and the indices of the pictures that could be read. Throws where none can. */
export async function pictureFeatures(
  encoder: PictureEncoder,
  paths: readonly string[],
  progress: Progress,
): Promise<{ readable: number[]; image: Float32Array }> {
  const { channels } = encoder.manifest
  const image = new Float32Array(paths.length * channels)
  const readable: number[] = []
  const stage = progress('pictures', paths.length)
  for (let from = 0; from < paths.length; from += PICTURES) {
    const decoded = await Promise.allSettled(paths.slice(from, from + PICTURES).map((path) => decodeImage(path)))
    const at = readable.length * channels
    const pictures = decoded.flatMap((result, i) => {
      if (result.status === 'rejected') {
        stage.note(`left out: ${errorText(result.reason)}`)
        return []
      }
      readable.push(from + i)
      return [result.value]
    })
    image.set(await encoder.imageFeatures(pictures), at)
    stage.update(Math.min(from + PICTURES, paths.length))
  }
  stage.stop()
  if (readable.length === 0) throw new Error(message('pictures', 'one must be readable', `0 of ${paths.length}`))
  return { readable, image: image.slice(0, readable.length * channels) }
}

/** Unit vectors [texts,C]. */
export function textFeatures(subject: Subject, texts: readonly string[], progress: Progress): Float32Array {
  const { channels } = subject.manifest
  const features = new Float32Array(texts.length * channels)
  const stage = progress('texts', texts.length)
  for (let from = 0; from < texts.length; from += TEXTS) {
    features.set(subject.textFeatures(texts.slice(from, from + TEXTS)), from * channels)
    stage.update(Math.min(from + TEXTS, texts.length))
  }
  stage.stop()
  return features
}
