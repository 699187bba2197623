/**
 * What the host knows of image preparation (model.md section 1). The kernels do the work, in Node and in browsers:
 * resize_bilinear__u8 (Pillow's BILINEAR, bit for bit), then normalize_pixels__u8.
 */
import { roundUp } from '../abi.ts'

/** Mean and standard deviation of R, G, B in [0, 1]: ImageNet's, as of DINOv2. normalize_pixels__u8 has them built in. */
export const MEAN = [0.485, 0.456, 0.406] as const
export const STD = [0.229, 0.224, 0.225] as const

/** Bytes of scratch that resize_bilinear__u8 needs from [height, width, 3] to [size, size, 3]. */
export function resizeScratchBytes(width: number, height: number, size: number): number {
  const taps = Math.ceil(Math.max(width / size, height / size, 1)) * 2 + 1
  return roundUp(height * size * 3, 4) + 4 * size * (taps + 2)
}
