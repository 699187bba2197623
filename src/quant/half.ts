/**
 * IEEE 754 binary16, as raw 16 bits: 1 sign, 5 exponent (bias 15), 10 fraction bits. Storage only, nothing computes in
 * it. Engines have no Float16Array yet on the oldest Node that is supported; where they do, it reads them.
 */
import { roundEven } from '../base/math.ts'

/** Below this a half has no leading one: it is a multiple of SMALLEST. */
const SMALLEST_NORMAL = 2 ** -14
/** From here on rounding leads to infinity: half a step above the largest half, 65504. */
const OVERFLOW = 65520
const SMALLEST = 2 ** -24
/** 2^(exponent - 15). */
const SCALES = Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 15))
const INFINITY = 0x7c00
const NAN = 0x7e00

/** Rounded to the nearest half, ties to even; too large becomes infinite, every NaN the same NaN. */
export function encodeHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return Uint16Array.from(values, (value, i) =>
    value !== value ? NAN : ((bits[i] >>> 16) & 0x8000) | magnitude(bits[i], Math.abs(value)),
  )
}

/** Code of a value without its sign. A fraction that rounds up to 1024 carries into the exponent, as it should. */
function magnitude(bits: number, size: number): number {
  if (size >= OVERFLOW) return INFINITY
  if (size < SMALLEST_NORMAL) return roundEven(size / SMALLEST)
  const exponent = ((bits >>> 23) & 0xff) - 127
  return ((exponent + 15) << 10) + roundEven((bits & 0x7fffff) / 2 ** 13)
}

/** Of engines that have it: the loop below takes 2 ms for the 35,000 halves of the shipped model. */
type Float16ArrayConstructor = new (buffer: ArrayBufferLike, offset: number, length: number) => ArrayLike<number>
const { Float16Array } = globalThis as { Float16Array?: Float16ArrayConstructor }

/** The values, exactly. A plain loop, since this runs before any engine optimises it. */
export function decodeHalf(codes: Uint16Array): Float32Array {
  if (Float16Array) return new Float32Array(new Float16Array(codes.buffer, codes.byteOffset, codes.length))
  const values = new Float32Array(codes.length)
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]
    const exponent = (code >>> 10) & 31
    const fraction = code & 1023
    const size =
      exponent === 0
        ? fraction * SMALLEST
        : exponent < 31
          ? (1 + fraction / 1024) * SCALES[exponent]
          : fraction === 0
            ? Infinity
            : NaN
    values[i] = code & 0x8000 ? -size : size
  }
  return values
}
