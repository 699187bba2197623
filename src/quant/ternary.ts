/**
 * Ternary codes and their packed form (layout: abi.ts), on the host. Kernels pack what training makes; this side
 * serves tests, tools and imported weights.
 */
import { BLOCK, BLOCK_BYTES, packedBytes } from '../abi.ts'
import { requireThat } from '../base/errors.ts'

/** Byte and bit of the code of output n and input k. */
function place(n: number, k: number, K: number): { byte: number; bit: number } {
  const block = Math.floor(n / BLOCK) * Math.ceil(K / BLOCK) + Math.floor(k / BLOCK)
  return { byte: block * BLOCK_BYTES + 2 * (n % BLOCK) + (k % 2), bit: 2 * ((k % BLOCK) >> 1) }
}

/** Codes -1, 0, 1 of W [N,K] packed; padding is 0. Throws a RangeError on another code or a wrong length. */
export function packTernary(codes: Int8Array, N: number, K: number): Uint8Array {
  requireThat(codes.length === N * K, 'packTernary', `must have ${N} x ${K} codes`, codes.length)
  // Every field holds w + 1 = 1: padding counts as zero.
  const packed = new Uint8Array(packedBytes(N, K)).fill(0b01010101)
  codes.forEach((code, i) => {
    requireThat(code >= -1 && code <= 1, 'packTernary', 'codes must be -1, 0 or 1', code)
    const { byte, bit } = place(Math.floor(i / K), i % K, K)
    packed[byte] += code << bit
  })
  return packed
}

/** The codes [N,K] of packed bytes. Throws a RangeError on a wrong length or a field that is no code. */
export function unpackTernary(packed: Uint8Array, N: number, K: number): Int8Array {
  requireThat(
    packed.length === packedBytes(N, K),
    'unpackTernary',
    `must have ${packedBytes(N, K)} bytes`,
    packed.length,
  )
  return Int8Array.from({ length: N * K }, (_, i) => {
    const { byte, bit } = place(Math.floor(i / K), i % K, K)
    const code = ((packed[byte] >> bit) & 3) - 1
    requireThat(code <= 1, 'unpackTernary', 'fields must be 0, 1 or 2', 3)
    return code
  })
}
