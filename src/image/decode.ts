/**
 * Decodes picture files to RGB on white, with sharp: the only place where encoded pictures enter, in training and in
 * the Node entry (a browser decodes by itself). Files are not trusted: bytes and pixels are limited, damage is an
 * error. Alpha is laid on white by our own rule, so that a browser's ImageData gives the same bytes.
 */
import { readFile, stat } from 'node:fs/promises'
import { errorText, message, requireKind } from '../base/errors.ts'
import { toRgb, type RgbPixels } from './pixels.ts'

export interface DecodeOptions {
  /** Largest width x height; default 2^26, an 8192 x 8192 picture. */
  maxPixels?: number
  /** Largest encoded size; default 2^26. */
  maxBytes?: number
  /** What errors call the picture; default the path, or 'image bytes'. */
  name?: string
}

const FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'gif', 'heif', 'tiff']

/**
 * The picture at a path or in encoded bytes, as RGB: upright (EXIF), 8 bits, sRGB, transparency on white, the first
 * frame of several. JPEG, PNG, WebP, GIF, AVIF and TIFF.
 * Throws an Error `decodeImage: <name>: <reason>` for what cannot be read, is damaged, or is over a limit.
 */
export async function decodeImage(input: string | Uint8Array, options: DecodeOptions = {}): Promise<RgbPixels> {
  const isPath = typeof input === 'string'
  requireKind(isPath || input instanceof Uint8Array, 'decodeImage', 'input must be a path or encoded bytes', input)
  const { maxPixels = 2 ** 26, maxBytes = 2 ** 26, name = isPath ? input : 'image bytes' } = options
  try {
    const size = isPath ? (await stat(input)).size : input.length
    if (size === 0) throw new Error('is empty')
    if (size > maxBytes) throw new Error(`must have at most ${maxBytes} bytes, got ${size}`)
    return await decode(isPath ? await readFile(input) : input, maxPixels)
  } catch (error) {
    throw new Error(message('decodeImage', `${name}: ${errorText(error)}`), { cause: error })
  }
}

async function decode(bytes: Uint8Array, maxPixels: number): Promise<RgbPixels> {
  // With the first picture, since it takes 40 ms that many commands have no use for.
  const { default: sharp } = await import('sharp')
  const open = () => sharp(bytes, { failOn: 'warning', limitInputPixels: maxPixels, autoOrient: true })
  const { format } = await open().metadata()
  if (!FORMATS.includes(format)) throw new Error(`must be one of ${FORMATS.join(', ')}, got ${format}`)
  const { data, info } = await open()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  const { width, height, channels } = info
  if (channels !== 3 && channels !== 4) throw new Error(`must decode to 3 or 4 channels, got ${channels}`)
  return toRgb({ data: new Uint8Array(data.buffer, data.byteOffset, data.length), width, height, channels })
}
