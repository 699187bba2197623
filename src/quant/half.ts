/**
 * IEEE 754 binary16, as raw 16 bits: 1 sign, 5 exponent (bias 15), 10 fraction bits. Storage only, nothing computes in
 * it. Engines have no Float16Array yet on the oldest Node that is supported.
 */
import { roundEven } from '../base/math.ts'

/** Below this a half has no leading one: it is a multiple of 2^-24. */
const SMALLEST_NORMAL = 2 ** -14
/** From here on rounding leads to infinity: half a step above the largest half, 65504. */
const OVERFLOW = 65520
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
  if (size < SMALLEST_NORMAL) return roundEven(size * 2 ** 24)
  const exponent = ((bits >>> 23) & 0xff) - 127
  return ((exponent + 15) << 10) + roundEven((bits & 0x7fffff) / 2 ** 13)
}

/** The values, exactly. */
export function decodeHalf(codes: Uint16Array): Float32Array {
  return Float32Array.from(codes, (code) => {
    const sign = code & 0x8000 ? -1 : 1
    const exponent = (code >>> 10) & 31
    const fraction = code & 1023
    if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  })
}
