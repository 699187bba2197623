/**
 * What known answers are made of: a module that fills memory with zeros would pass all of them. Draws and digests of every
 * module against the same in JavaScript. That wrong kernels are noticed stands in load.test.ts.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { builtKernels } from './support/kernels.ts'

const modules = await builtKernels()
const AT = 2 ** 16
const COUNT = 1000
/** Codes of weights as assembly/lib/answers.ts has them. */
const FOUR_CODES = [0x24, 0x16, 0xa1, 0x48]

/** 24 bits a draw (Numerical Recipes' generator). */
function draws(count: number): number[] {
  let state = 1
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 8
  })
}

const whole = (low: number, high: number) => (draw: number) => low + Math.floor(((high - low + 1) * draw) / 2 ** 24)
const { fround } = Math

/** Number of the type, its range, and what a draw becomes. */
const FILLS: [
  dtype: 'f32' | 'i32' | 'i8' | 'u8' | 't2',
  type: number,
  low: number,
  high: number,
  of: (draw: number) => number,
][] = [
  ['f32', 0, -2, 2, (draw) => fround(-2 + fround(4 * fround(draw / 2 ** 24)))],
  ['f32', 0, 0.5, 2, (draw) => fround(0.5 + fround(1.5 * fround(draw / 2 ** 24)))],
  ['i32', 1, 0, 8, whole(0, 8)],
  ['i8', 2, -127, 127, whole(-127, 127)],
  ['u8', 2, 0, 255, whole(0, 255)],
  ['t2', 3, 0, 2, (draw) => FOUR_CODES[draw & 3]],
]

for (const kernels of modules) {
  const { answering, manifest } = kernels
  kernels.reserve(AT + 8 * COUNT)

  test(`${manifest.isa}: draws of every type, one after the other`, () => {
    for (const [dtype, type, low, high, of] of FILLS) {
      kernels.view('u8', AT, 8 * COUNT).fill(255)
      answering.startAnswer(AT, 8 * COUNT)
      const both = kernels.view(dtype, AT, COUNT + 3)
      // In two pieces: the second goes on where the first ends.
      answering.fillAnswer(AT, type, 600, low, high)
      answering.fillAnswer(AT + 600 * both.BYTES_PER_ELEMENT, type, COUNT - 600, low, high)
      assert.equal([...both], [...draws(COUNT).map(of), 0, 0, 0], dtype)
      if (dtype !== 'f32' && dtype !== 't2') assert.equal([Math.min(...both), Math.max(...both)], [low, high])
    }
  })

  test(`${manifest.isa}: the digest is FNV-1a of all words`, () => {
    answering.startAnswer(AT, 8 * COUNT)
    answering.fillAnswer(AT, 1, COUNT, 0, 1e6)
    const words = [...kernels.view('i32', AT, COUNT)]
    const want = words.reduce((hash, word) => Math.imul(hash ^ word, 0x01000193), 0x811c9dc5)
    answering.digestAnswer(AT, 400)
    assert.is(answering.digestAnswer(AT + 1600, COUNT - 400) >>> 0, want >>> 0)
  })
}

test.run()
