/** What the cases of the op do not show of attention: scores that lie far apart. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { roundUp } from '../src/abi.ts'
import { builtKernels } from './support/kernels.ts'

const [T, C, heads] = [5, 8, 1]

for (const kernels of await builtKernels()) {
  for (const entry of kernels.family('attention__f32')) {
    test(`${entry.name}: a key far below the best weighs nothing, not the smallest number that there is`, () => {
      let next = roundUp(kernels.base, 64)
      const place = (values: ArrayLike<number>) => {
        const at = next
        next += roundUp(4 * values.length, 64)
        kernels.reserve(next)
        kernels.view('f32', at, values.length).set(values)
        return at
      }
      // One query direction; key 0 is aligned with it and has the value 0, the others oppose it and have the value 1.
      const queries = place(new Float32Array(T * C).fill(20))
      const keys = place(Float32Array.from({ length: T * C }, (_, i) => (i < C ? 1 : -1)))
      const values = place(Float32Array.from({ length: T * C }, (_, i) => (i < C ? 0 : 1)))
      const [y, scores, scratch] = [T * C, T * T, T * C].map((n) => place(new Float32Array(n)))
      kernels.function(entry)(queries, keys, values, 0, y, scores, scratch, 1, T, T, C, heads, 0)
      assert.equal(Array.from(kernels.view('f32', y, T * C)), new Array(T * C).fill(0))
    })
  }
}

test.run()
