/**
 * Known answers: the calls of a manifest whose results the generator computed with the scalar module. Run on every
 * fresh module, since an engine may accept an instruction and compile it wrong (V8 11.3 does so with a relaxed dot).
 * Sees the engine's first compiler tier only: what an engine does to hot code later is left to the test suite.
 */
import type { KernelEntry, KnownAnswer } from '../abi.ts'
import { BUFFER_ALIGN, roundUp } from '../abi.ts'
import { viewBytes, type DType } from '../base/dtype.ts'
import type { Kernels } from './kernels.ts'

/** Largest difference of a kernel that is not deterministic, over the largest value of the output. */
const TOLERANCE = 1e-4

/** Where answers lie in memory: the first bytes that plans may use. */
function baseOf(kernels: Kernels): number {
  return roundUp(kernels.base, BUFFER_ALIGN)
}

/** Bytes that the largest of some answers takes. */
export function answerBytes(answers: readonly KnownAnswer[]): number {
  return answers.reduce((most, { bytes }) => Math.max(most, bytes), 0)
}

/** What draws are stored as, in the numbers of assembly/lib/answers.ts; no answer reads f64. */
const DRAWN: Partial<Record<DType, number>> = { f32: 0, i32: 1, i8: 2, u8: 2, t2: 3 }

/** Fills memory with the draws and values of an answer. */
function fill(kernels: Kernels, { bytes, fills }: KnownAnswer): void {
  const base = baseOf(kernels)
  kernels.answering.startAnswer(base, bytes)
  for (const [at, dtype, count, low = 0, high = 0] of fills) {
    if (typeof count === 'number') kernels.answering.fillAnswer(base + at, DRAWN[dtype]!, count, low, high)
    else kernels.view(dtype, base + at, count.length).set(count)
  }
}

/** Fills memory for an answer. Returns its calls, where `replace` serves its family in place of the kernel that does. */
export function prepareAnswer(kernels: Kernels, answer: KnownAnswer, replace?: KernelEntry): () => void {
  const base = baseOf(kernels)
  kernels.reserve(base + answer.bytes)
  fill(kernels, answer)
  const calls = answer.calls.map(([family, ...args]) => {
    const entry = replace?.family === family ? replace : kernels.entry(family, true)
    const resolved = args.map((arg, i) => (entry.params[i][0].endsWith('At') && arg !== 0 ? arg + base : arg))
    return { kernel: kernels.function(entry), resolved }
  })
  return () => calls.forEach(({ kernel, resolved }) => kernel(...resolved))
}

/** Runs an answer and digests its outputs. */
export function digestOf(kernels: Kernels, answer: KnownAnswer, replace?: KernelEntry): number {
  prepareAnswer(kernels, answer, replace)()
  const base = baseOf(kernels)
  let digest = 0
  for (const [at, dtype, count] of answer.outputs) {
    // Outputs lie 64 bytes apart in zeroed memory, so whole words may be read.
    digest = kernels.answering.digestAnswer(base + at, Math.ceil((count * viewBytes(dtype)) / 4))
  }
  return digest >>> 0
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
 * Why a kernel does not give an answer, in words; undefined where it does. Deterministic kernels must give its bits,
 * others come close to `want`.
 */
function failureOf(
  kernels: Kernels,
  answer: KnownAnswer,
  entry: KernelEntry,
  want: readonly Float32Array[],
): string | undefined {
  try {
    const digest = digestOf(kernels, answer, entry)
    const right = entry.deterministic
      ? digest === answer.digest
      : floats(kernels, answer).every((got, i) => close(got, want[i]))
    return right ? undefined : 'wrong result'
  } catch (error) {
    return String(error)
  }
}

/** Runs an answer on the kernels that serve; those that give way to another variant where it is wrong are struck out. */
function failureOfServing(kernels: Kernels, answer: KnownAnswer, families: readonly string[]): string | undefined {
  for (;;) {
    let reason = `wrong result of ${families.join(', ')}`
    try {
      if (digestOf(kernels, answer) === answer.digest) return undefined
    } catch (error) {
      reason = `${families.join(', ')}: ${String(error)}`
    }
    const family = families.find((one) => kernels.variants(one).length > 1)
    if (family === undefined) return reason
    kernels.strikeOut(kernels.entry(family, true), reason)
  }
}

/**
 * Checks the kernels of a fresh module, or those of some families, and leaves its memory zeroed. A kernel that fails is
 * struck out while another variant can serve its family. Returns what failed where none can, in words: nothing when all
 * is well.
 */
export function checkAnswers(kernels: Kernels, families?: ReadonlySet<string>): string | undefined {
  const answers = families ? answersOf(kernels.manifest.answers, families) : kernels.manifest.answers
  for (const answer of answers) {
    const called = [...new Set(answer.calls.map(([family]) => family))]
    const failure = failureOfServing(kernels, answer, called)
    if (failure !== undefined) return failure
    const others = called.flatMap((family) => {
      const serving = kernels.entry(family, true)
      return kernels.family(family).filter((entry) => entry !== serving)
    })
    const want = others.length > 0 ? floats(kernels, answer) : []
    for (const other of others) {
      const reason = failureOf(kernels, answer, other, want)
      if (reason !== undefined) kernels.strikeOut(other, reason)
    }
  }
  kernels.view('u8', baseOf(kernels), answerBytes(answers)).fill(0)
  return undefined
}
