/**
 * The host's side of image preparation (model.md section 1): any decoded image to RGB bytes. The kernels
 * resize_bilinear__u8 (bit for bit Pillow's BILINEAR) and normalize_pixels__u8 do the rest, in Node and in browsers.
 */
import { requireKind, requireThat } from '../base/errors.ts'
import { roundUp } from '../abi.ts'

/** Mean and standard deviation of the channels R, G, B in [0, 1] (ImageNet's, which DINOv2 uses); compiled into normalize_pixels__u8. */
export const MEAN = [0.485, 0.456, 0.406] as const
export const STD = [0.229, 0.224, 0.225] as const

/** A decoded image: rows from the top, channels interleaved, alpha not premultiplied. An ImageData fits. */
export interface Pixels {
  data: Uint8Array | Uint8ClampedArray
  width: number
  height: number
  /** Default: 4. */
  channels?: 3 | 4
}

/**
 * RGB bytes [height, width, 3]; transparency lies on white, rounded to nearest: the same on every platform.
 * Throws a TypeError where data is no byte array, a RangeError where its length does not fit.
 */
export function toRgb({ data, width, height, channels = 4 }: Pixels): Uint8Array {
  const isBytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray
  requireKind(isBytes, 'pixels.data', 'must be a Uint8Array or Uint8ClampedArray', typeof data)
  const isSize = (n: number) => Number.isInteger(n) && n >= 1
  requireThat(isSize(width) && isSize(height), 'pixels', 'width and height must be whole numbers from 1', [
    width,
    height,
  ])
  requireThat(channels === 3 || channels === 4, 'pixels.channels', 'must be 3 or 4', channels)
  const length = width * height * channels
  requireThat(data.length === length, 'pixels.data', `must have ${width}*${height}*${channels} bytes`, data.length)
  if (channels === 3) return new Uint8Array(data)
  const rgb = new Uint8Array(width * height * 3)
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    const alpha = data[from + 3]
    for (let c = 0; c < 3; c++) rgb[to + c] = Math.round((data[from + c] * alpha) / 255 + 255 - alpha)
  }
  return rgb
}

/** Bytes of scratch that resize_bilinear__u8 needs from [height, width, 3] to [size, size, 3]. */
export function resizeScratchBytes(width: number, height: number, size: number): number {
  const taps = Math.ceil(Math.max(width / size, height / size, 1)) * 2 + 1
  return roundUp(height * size * 3, 4) + 4 * size * (taps + 2)
}
