/**
 * Random changes of a training picture (recipe: size, turn, shift; saturation, channel mixing, distance from white),
 * then the normalisation of inference. One pass: bilinear sampling with white outside, one 3 x 3 colour matrix.
 */
import { cos, sin } from '../base/math.ts'
import type { Stream } from '../base/rng.ts'
import { MEAN, STD } from '../image/resize.ts'
import type { Augmentation } from './config.ts'

/** Weights of R, G and B in the grey that saturation mixes with (ITU-R BT.601). */
const GREY = [0.299, 0.587, 0.114]

/** Row-major [3,3] and offset [3] of y = A x + b on colours in 0..1. */
interface ColourMap {
  matrix: number[]
  offset: number[]
}

function between([low, high]: readonly [number, number], stream: Stream): number {
  return low + (high - low) * stream.next()
}

function randomColours(options: Augmentation, stream: Stream): ColourMap {
  const saturation = between(options.saturation, stream)
  const contrast = between(options.contrast, stream)
  let mixing = [1, 0, 0, 0, 1, 0, 0, 0, 1]
  if (stream.next() < options.mixingShare) {
    mixing = mixing.map((one) => one + options.mixing * stream.normal())
    // Rows that sum to one keep white white; a row near zero could not be normalised and stays as it was.
    for (let r = 0; r < 3; r++) {
      const sum = mixing[3 * r] + mixing[3 * r + 1] + mixing[3 * r + 2]
      for (let c = 0; c < 3; c++) mixing[3 * r + c] = Math.abs(sum) < 0.2 ? Number(r === c) : mixing[3 * r + c] / sum
    }
  }
  const matrix = Array.from({ length: 9 }, (_, i) => {
    const [r, c] = [Math.floor(i / 3), i % 3]
    // mixing . (saturation * I + (1 - saturation) * grey), whose rows sum to one.
    return contrast * (saturation * mixing[3 * r + c] + (1 - saturation) * GREY[c])
  })
  return { matrix, offset: [1 - contrast, 1 - contrast, 1 - contrast] }
}

/** rgb [S,S,3] u8 -> pixels [3,S,S] f32 into `out`, changed at random by `stream`. */
export function augment(rgb: Uint8Array, side: number, options: Augmentation, stream: Stream, out: Float32Array): void {
  const size = between(options.size, stream)
  const turn = options.rotation * (2 * stream.next() - 1)
  const shiftX = options.shift * side * (2 * stream.next() - 1)
  const shiftY = options.shift * side * (2 * stream.next() - 1)
  const { matrix, offset } = randomColours(options, stream)
  const scale = STD.map((s) => 1 / s)
  const plane = side * side
  const middle = (side - 1) / 2
  const [c, s] = [cos(turn) / size, sin(turn) / size]
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const dx = x - middle - shiftX
      const dy = y - middle - shiftY
      const fromX = c * dx + s * dy + middle
      const fromY = c * dy - s * dx + middle
      const x0 = Math.floor(fromX)
      const y0 = Math.floor(fromY)
      let red = 0
      let green = 0
      let blue = 0
      let outside = 1
      for (let corner = 0; corner < 4; corner++) {
        const px = x0 + (corner & 1)
        const py = y0 + (corner >> 1)
        if (px < 0 || py < 0 || px >= side || py >= side) continue
        const weight = (corner & 1 ? fromX - x0 : 1 - fromX + x0) * (corner >> 1 ? fromY - y0 : 1 - fromY + y0)
        const at = 3 * (py * side + px)
        red += weight * rgb[at]
        green += weight * rgb[at + 1]
        blue += weight * rgb[at + 2]
        outside -= weight
      }
      red = red / 255 + outside
      green = green / 255 + outside
      blue = blue / 255 + outside
      const to = y * side + x
      for (let k = 0; k < 3; k++) {
        const colour = matrix[3 * k] * red + matrix[3 * k + 1] * green + matrix[3 * k + 2] * blue + offset[k]
        out[k * plane + to] = (Math.min(1, Math.max(0, colour)) - MEAN[k]) * scale[k]
      }
    }
  }
}
