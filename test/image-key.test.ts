/** Keys of pictures by hand: the class token does not count, and larger grids of patches are averaged to 4 x 4 cells. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { imageKey, imageKeyLength } from '../src/runtime/image-key.ts'

/** States of two channels: the class token, then of patch (y, x) the numbers y and x, from 1 on. */
function grid(side: number): Float32Array {
  const patches = Array.from({ length: side * side }, (_, i) => [1 + Math.floor(i / side), 1 + (i % side)])
  return Float32Array.from([900, -900, ...patches.flat()])
}

function requireKey(got: Float32Array, feature: number[], cells: number[]): void {
  const unit = (x: number[]) => x.map((one) => one / (Math.hypot(...x) || 1))
  const want = [...unit(feature), ...unit(cells)]
  assert.is(got.length, want.length)
  got.forEach((x, i) => assert.ok(Math.abs(x - want[i]) < 1e-6, `${i}: ${x} for ${want[i]}`))
}

test('up to 4 x 4 patches are cells of their own', () => {
  for (const side of [1, 2, 3, 4]) {
    requireKey(
      imageKey({ feature: Float32Array.of(3, 4), states: grid(side) }),
      [3, 4],
      Array.from(grid(side)).slice(2),
    )
    assert.is(imageKeyLength(side * side, 2), 2 + 2 * side * side)
  }
})

test('more patches are averaged; where 4 does not divide the side, cells overlap', () => {
  const cells = (means: number[]) => means.flatMap((y) => means.flatMap((x) => [y, x]))
  requireKey(imageKey({ feature: Float32Array.of(1, 0), states: grid(8) }), [1, 0], cells([1.5, 3.5, 5.5, 7.5]))
  requireKey(imageKey({ feature: Float32Array.of(1, 0), states: grid(5) }), [1, 0], cells([1.5, 2.5, 3.5, 4.5]))
  assert.is(imageKeyLength(64, 2), 34)
})

test('what is zero stays zero', () => {
  requireKey(imageKey({ feature: new Float32Array(2), states: new Float32Array(10) }), [0, 0], [0, 0, 0, 0, 0, 0, 0, 0])
})

test.run()
