/** The checksum of files against `xxhsum -H1` 0.8.1, the reference implementation of XXH64. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checksum } from '../src/io/checksum.ts'

/** Of the first bytes of the pattern below; a page of WebAssembly is 65,536. */
const REFERENCE: [length: number, digits: string][] = [
  [0, 'ef46db3751d8e999'],
  [1, '1f25c8d0bc1f4bb6'],
  [3, '31d2363f52e564c9'],
  [4, '9bb64b7d66ee9fda'],
  [7, '9a7b149959ce60d8'],
  [8, 'dab99d95c6f90092'],
  [31, 'a2aa5f33cc4a6119'],
  [32, '23c3c17ef790fd97'],
  [33, '50a7cfc7ba588784'],
  [63, '5e3e54b431c7493c'],
  [64, '0eb64b3ef6eeb01f'],
  [100, 'a61f8d4c170fe531'],
  [65535, '3f3727fffd608be1'],
  [65536, 'a65c58863f85b9f2'],
  [65537, '977b57b8713cee56'],
  [65568, '7af9896dbf228d85'],
  [200003, 'd99add2bf6b951ff'],
]

const pattern = Uint8Array.from({ length: 200_003 }, (_, i) => i * 7 + (i >> 8) * 13 + 3)

for (const [length, digits] of REFERENCE) {
  test(`${length} bytes`, () => {
    const bytes = pattern.subarray(0, length)
    assert.is(checksum(bytes), digits)
    const shifted = new Uint8Array(length + 1).subarray(1)
    shifted.set(bytes)
    assert.is(checksum(shifted), digits, 'at an odd address')
  })
}

test.run()
