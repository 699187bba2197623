/** What the cases of the op do not show of attention: scores that lie far apart, and how exact exponentials are. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { roundUp, type KernelEntry } from '../src/abi.ts'
import type { Kernels } from '../src/runtime/kernels.ts'
import { builtKernels } from './support/kernels.ts'

type Operands = [queries: Float32Array, keys: Float32Array, values: Float32Array]

/** y[T,C] of one head over queries, keys and values [T,C], of which the first `visible` are seen. */
function attend(kernels: Kernels, entry: KernelEntry, C: number, given: Operands, visible = given[0].length / C) {
  const T = given[0].length / C
  let next = roundUp(kernels.base, 64)
  const place = (values: Float32Array | Int32Array) => {
    const at = next
    next += roundUp(4 * values.length, 64)
    kernels.reserve(next)
    kernels.view(values instanceof Int32Array ? 'i32' : 'f32', at, values.length).set(values)
    return at
  }
  const [queries, keys, values] = given.map(place)
  const lengths = place(Int32Array.of(visible))
  const [y, scores, scratch] = [T * C, T * T, T * C].map((n) => place(new Float32Array(n)))
  kernels.function(entry)(queries, keys, values, lengths, y, scores, scratch, 1, T, T, C, 1, 0)
  return Array.from(kernels.view('f32', y, T * C))
}

const floats = (length: number, value: (i: number) => number) => Float32Array.from({ length }, (_, i) => value(i))

for (const kernels of await builtKernels()) {
  for (const entry of kernels.family('attention__f32')) {
    test(`${entry.name}: a key far below the best weighs nothing, not the smallest number that there is`, () => {
      const [T, C] = [5, 8]
      // One query direction; key 0 is aligned with it and has the value 0, the others oppose it and have the value 1.
      const queries = floats(T * C, () => 20)
      const keys = floats(T * C, (i) => (i < C ? 1 : -1))
      const values = floats(T * C, (i) => (i < C ? 0 : 1))
      assert.equal(attend(kernels, entry, C, [queries, keys, values]), new Array(T * C).fill(0))
    })

    test(`${entry.name}: where no key is seen, all is 0, whatever was before`, () => {
      const [T, C] = [5, 8]
      const [ones, none] = [floats(T * C, () => 1), floats(T * C, () => NaN)]
      assert.ok(attend(kernels, entry, C, [none, none, ones]).every(Number.isNaN))
      assert.equal(attend(kernels, entry, C, [ones, ones, ones], 0), new Array(T * C).fill(0))
    })

    test(`${entry.name}: weights have the relative error of their scores`, () => {
      const [T, C] = [8, 4]
      for (let from = 0; from < 160; from += T) {
        // Scores of query i: 0 for key 0, whose value is 0, and -(from + i)/4 for the others, whose value is 1.
        const queries = floats(T * C, (i) => (i % C === 0 ? (from + i / C) / 2 : 0))
        const keys = floats(T * C, (i) => (i < C ? 0 : -1))
        const values = floats(T * C, (i) => (i < C ? 0 : 1))
        attend(kernels, entry, C, [queries, keys, values]).forEach((got, i) => {
          const x = (from + Math.floor(i / C)) / 4
          const want = (T - 1) / (Math.exp(x) + T - 1)
          // Of the exponential, two sums of eight and a quotient; of a score that is rounded once.
          const bound = 5e-7 + x * 1.2e-7
          assert.ok(Math.abs(got / want - 1) <= bound, `score -${x}: ${got} must be ${want}`)
        })
      }
    })
  }
}

test.run()
