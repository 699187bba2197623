/**
 * Stored forms of weights: ternary fields, int8 rows, half floats, against literal values and by round trips.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { packedBytes } from '../src/abi.ts'
import { decodeHalf, encodeHalf } from '../src/quant/half.ts'
import { decodeRows, encodeRows } from '../src/quant/rows.ts'
import { packTernary, unpackTernary } from '../src/quant/ternary.ts'
import { uniform } from './support/op-case.ts'

test('ternary codes lie where the layout says', () => {
  // W[1,3] = -1 of a 2 x 9 matrix: lane 1, odd inputs in the high byte, k = 3 at bit 2; the field 1 becomes 0.
  const codes = new Int8Array(18)
  codes[9 + 3] = -1
  // W[0,8] = 1: second block, lane 0, low byte, bit 0; the field 1 becomes 2.
  codes[8] = 1
  const want = new Uint8Array(32).fill(0x55)
  want[3] = 0x51
  want[16] = 0x56
  assert.equal(packTernary(codes, 2, 9), want)
})

test('ternary codes survive packing at any size', () => {
  const next = uniform(2)
  for (const [N, K] of [
    [1, 1],
    [3, 7],
    [8, 8],
    [9, 33],
    [33, 17],
    [64, 128],
  ]) {
    const codes = Int8Array.from({ length: N * K }, () => Math.floor(next() * 3) - 1)
    const packed = packTernary(codes, N, K)
    assert.is(packed.length, packedBytes(N, K))
    assert.equal(unpackTernary(packed, N, K), codes, `${N} x ${K}`)
  }
  assert.throws(() => packTernary(Int8Array.of(2), 1, 1), /codes must be -1, 0 or 1, got 2/)
  assert.throws(() => packTernary(new Int8Array(3), 2, 2), /must have 2 x 2 codes, got 3/)
  assert.throws(() => unpackTernary(new Uint8Array(16).fill(0xff), 1, 1), /fields must be 0, 1 or 2/)
  assert.throws(() => unpackTernary(new Uint8Array(15), 1, 1), /must have 16 bytes, got 15/)
})

test('int8 rows: the largest weight becomes 127, halves go to even', () => {
  const W = Float32Array.of(127, 0.5, 1.5, -2.5, -127, 126.5, 0, 0, 0)
  const rows = encodeRows(W, 3, 3)
  assert.equal(Array.from(rows.codes), [127, 0, 2, -2, -127, 126, 0, 0, 0])
  assert.equal(rows.scales, Float32Array.of(1, 1, Math.fround(1e-8) / 127))
  assert.equal(decodeRows(rows, 3, 3), Float32Array.of(127, 0, 2, -2, -127, 126, 0, 0, 0))
})

test('int8 rows stay within half a step', () => {
  const next = uniform(3)
  const [N, K] = [7, 33]
  const W = Float32Array.from({ length: N * K }, () => next() - 0.5)
  const rows = encodeRows(W, N, K)
  const back = decodeRows(rows, N, K)
  W.forEach((w, i) => assert.ok(Math.abs(w - back[i]) <= rows.scales[Math.floor(i / K)] * 0.500001))
  assert.throws(() => encodeRows(Float32Array.of(NaN), 1, 1), /weights of row 0 must be finite/)
  assert.throws(() => encodeRows(W, N, K + 1), /must have 7 x 34 weights, got 231/)
})

test('half floats: known codes', () => {
  const tiny = 2 ** -24
  const known: [number, number][] = [
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [-1e30, 0xfc00],
    [Infinity, 0x7c00],
    [NaN, 0x7e00],
    [2 ** -14, 0x0400],
    [2 ** -14 - tiny, 0x03ff],
    [2 ** -14 - tiny / 4, 0x0400],
    [tiny, 0x0001],
    [tiny / 2, 0x0000],
    [tiny * 1.5, 0x0002],
    [2 ** -140, 0x0000],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 + 2 ** -11 + 2 ** -23, 0x3c01],
    [2 - 2 ** -12, 0x4000],
  ]
  const codes = encodeHalf(Float32Array.from(known, ([value]) => value))
  known.forEach(([value, code], i) => assert.is(codes[i], code, `${value}`))
})

test('every half survives, and every midpoint goes to the even one', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, code) => code)
  const values = decodeHalf(all)
  const back = encodeHalf(values)
  all.forEach((code) => assert.is(back[code], Number.isNaN(values[code]) ? 0x7e00 : code))
  const midpoints = Float32Array.from({ length: 0x7bff }, (_, code) => (values[code] + values[code + 1]) / 2)
  encodeHalf(midpoints).forEach((code, i) => assert.is(code, i + (i % 2)))
})

test.run()
