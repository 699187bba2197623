/**
 * Pictures as the library passes them around: rows of bytes from the top left, RGB or RGBA. A browser's ImageData
 * fits. Transparency is laid on white everywhere, in training and at inference.
 */
import { requireKind, requireThat } from '../base/errors.ts'

/** `data` holds height * width * channels bytes; alpha is straight, not premultiplied; 4 channels where absent. */
export interface Pixels {
  data: Uint8Array | Uint8ClampedArray
  width: number
  height: number
  channels?: 3 | 4
}

/** Pixels without alpha. */
export interface RgbPixels {
  data: Uint8Array
  width: number
  height: number
  channels: 3
}

/** Throws a TypeError or RangeError that begins with `where` unless `pixels` is a picture of at least one pixel. */
export function checkPixels(pixels: Pixels, where: string): void {
  const { data, width, height, channels = 4 } = pixels
  const bytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray
  requireKind(bytes, where, 'data must be a Uint8Array or Uint8ClampedArray', data)
  requireThat(Number.isInteger(width) && width > 0, where, 'width must be a whole number above 0', width)
  requireThat(Number.isInteger(height) && height > 0, where, 'height must be a whole number above 0', height)
  requireThat(channels === 3 || channels === 4, where, 'channels must be 3 or 4', channels)
  const length = width * height * channels
  requireThat(data.length === length, where, `data must have ${width} x ${height} x ${channels} bytes`, data.length)
}

/** `pixels` as RGB [height, width, 3] on white; a copy unless they are RGB bytes already. */
export function toRgb(pixels: Pixels): RgbPixels {
  checkPixels(pixels, 'toRgb')
  const { data, width, height, channels = 4 } = pixels
  if (channels === 3) {
    const bytes = data instanceof Uint8Array ? data : new Uint8Array(data.buffer, data.byteOffset, data.length)
    return { data: bytes, width, height, channels: 3 }
  }
  const rgb = new Uint8Array(width * height * 3)
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    const alpha = data[from + 3]
    for (let c = 0; c < 3; c++) rgb[to + c] = Math.round((data[from + c] * alpha + 255 * (255 - alpha)) / 255)
  }
  return { data: rgb, width, height, channels: 3 }
}
