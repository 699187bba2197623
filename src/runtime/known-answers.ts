/**
 * Known answers: the calls of a manifest whose results the generator computed with the scalar module. Run on every
 * fresh module, since an engine may accept an instruction and compile it wrong (V8 11.3 does so with a relaxed dot).
 * Sees the engine's first compiler tier only: what an engine does to hot code later is left to the test suite.
 */
import type { KernelEntry, KnownAnswer } from '../abi.ts'
import { roundUp } from '../abi.ts'
import { elementBytes, type DType } from '../base/dtype.ts'
import type { Kernels } from './kernels.ts'

/** Largest difference of a kernel that is not deterministic, over the largest value of the output. */
const TOLERANCE = 1e-4

/** Where answers lie in memory: the first bytes that plans may use. */
function baseOf(kernels: Kernels): number {
  return roundUp(kernels.manifest.heapBase, 64)
}

/**
 * Fills memory from a linear congruential generator (Numerical Recipes' constants), of which only the upper 24 bits
 * are used: the lower ones are poor. One plain loop, because this runs in an interpreter at every start.
 */
function fill(kernels: Kernels, { bytes, fills }: KnownAnswer): void {
  const base = baseOf(kernels)
  kernels.view('u8', base, bytes).fill(0)
  let state = 1
  for (const [at, dtype, count, low = 0, high = 0] of fills) {
    if (typeof count !== 'number') {
      kernels.view(dtype, base + at, count.length).set(count)
      continue
    }
    const data = kernels.view(dtype, base + at, count)
    const span = (high - low + (dtype === 'f32' ? 0 : 1)) / 2 ** 24
    for (let i = 0; i < count; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0
      const draw = state >>> 8
      if (dtype === 'f32') data[i] = low + span * draw
      else if (dtype === 't2') data[i] = FOUR_CODES[draw & 3]
      else data[i] = low + Math.floor(span * draw)
    }
  }
}

/** Bytes of packed weights: 0 1 2 0, 2 1 1 0, 1 0 2 2, 0 2 0 1 as codes w+1, from the low bits up. */
const FOUR_CODES = [0x24, 0x16, 0xa1, 0x48]

/** Runs one answer; `replace` serves its family in place of the deterministic kernel. Leaves the outputs in memory. */
function runAnswer(kernels: Kernels, answer: KnownAnswer, replace?: KernelEntry): void {
  const base = baseOf(kernels)
  kernels.reserve(base + answer.bytes)
  fill(kernels, answer)
  for (const [family, ...args] of answer.calls) {
    const entry = replace?.family === family ? replace : kernels.entry(family, true)
    const resolved = args.map((arg, i) => (entry.params[i][0].endsWith('At') && arg !== 0 ? arg + base : arg))
    kernels.function(entry)(...resolved)
  }
}

/** Runs the deterministic kernels of an answer and digests its outputs. */
export function digestOf(kernels: Kernels, answer: KnownAnswer): number {
  runAnswer(kernels, answer)
  let hash = 0x811c9dc5
  for (const [at, dtype, count] of answer.outputs) {
    // Outputs lie 64 bytes apart in zeroed memory, so whole words may be read.
    const words = kernels.view('i32', baseOf(kernels) + at, Math.ceil((count * widthOf(dtype)) / 4))
    for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i], 0x01000193)
  }
  return hash >>> 0
}

function widthOf(dtype: DType): number {
  return dtype === 't2' ? 1 : elementBytes(dtype)
}

function floats(kernels: Kernels, answer: KnownAnswer): Float32Array[] {
  const base = baseOf(kernels)
  return answer.outputs
    .filter(([, dtype]) => dtype === 'f32')
    .map(([at, , count]) => new Float32Array(kernels.view('f32', base + at, count)))
}

function close(got: Float32Array, want: Float32Array): boolean {
  const bound = TOLERANCE * want.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return want.every((value, i) => Math.abs(got[i] - value) <= bound)
}

/** Answers that call each of the families at least once. */
function answersOf(answers: readonly KnownAnswer[], families: ReadonlySet<string>): KnownAnswer[] {
  const missing = new Set(families)
  return answers.filter(({ calls }) => {
    const adds = calls.some(([family]) => missing.has(family))
    if (adds) for (const [family] of calls) missing.delete(family)
    return adds
  })
}

/**
 * Checks the kernels of a fresh module, or those of some families, and leaves its memory zeroed. Deterministic kernels
 * must give the bits of the answer, others come close to them. Returns what failed, in words: nothing when all is well.
 */
export function checkAnswers(kernels: Kernels, families?: ReadonlySet<string>): string | undefined {
  const { kernels: entries } = kernels.manifest
  const answers = families ? answersOf(kernels.manifest.answers, families) : kernels.manifest.answers
  const others = entries.filter((entry) => !entry.deterministic)
  for (const answer of answers) {
    const families = [...new Set(answer.calls.map(([family]) => family))]
    let at = families.join(', ')
    try {
      if (digestOf(kernels, answer) !== answer.digest) return `wrong result of ${at}`
      const want = floats(kernels, answer)
      for (const other of others.filter((entry) => families.includes(entry.family))) {
        at = other.name
        runAnswer(kernels, answer, other)
        const got = floats(kernels, answer)
        if (!want.every((values, i) => close(got[i], values))) return `wrong result of ${at}`
      }
    } catch (error) {
      return `${at}: ${String(error)}`
    }
  }
  const most = answers.reduce((bytes, answer) => Math.max(bytes, answer.bytes), 0)
  kernels.view('u8', baseOf(kernels), most).fill(0)
  return undefined
}
