/**
 * Decoded images to what the model takes (model.md section 1): squash-resized like Pillow's BILINEAR, normalised once.
 * The kernels work in memory behind the plans' own, which grows to the largest picture seen.
 */
import { roundUp } from '../abi.ts'
import { requireThat } from '../base/errors.ts'
import type { Symbols } from '../base/shape.ts'
import { toRgb, type Pixels } from '../image/pixels.ts'
import { resizeScratchBytes } from '../image/resize.ts'
import type { Executor } from './execute.ts'

/** 64 megapixels: 192 MB of memory for the picture itself. */
const MAX_PIXELS = 1 << 26

/** A picture as RGB bytes [size, size, 3]. */
export function resizeImage(executor: Executor, pixels: Pixels, size: number): Uint8Array {
  const { width, height } = pixels
  requireThat(width * height <= MAX_PIXELS, 'image', `must have at most ${MAX_PIXELS} pixels`, `${width} x ${height}`)
  const rgb = toRgb(pixels).data
  const out = size * size * 3
  const toAt = roundUp(rgb.length, 16)
  const scratchAt = toAt + roundUp(out, 16)
  const at = executor.workspace(scratchAt + resizeScratchBytes(width, height, size))
  executor.kernels.view('u8', at, rgb.length).set(rgb)
  executor.call('resize_bilinear__u8', at, at + toAt, at + scratchAt, width, height, size)
  return executor.kernels.view('u8', at + toAt, out).slice() as Uint8Array
}

/** Writes row `index` of the input `name` [B,3,size,size] of a plan from RGB bytes [size, size, 3]. */
export function writePixels(
  executor: Executor,
  plan: string,
  rgb: Uint8Array,
  index: number,
  symbols: Symbols,
  name = 'pixels',
): void {
  const size = Math.sqrt(rgb.length / 3)
  const at = executor.workspace(rgb.length)
  executor.kernels.view('u8', at, rgb.length).set(rgb)
  const input = executor.io(plan, name, symbols)
  executor.call('normalize_pixels__u8', at, input.byteOffset + index * rgb.length * 4, size)
}
