/**
 * Counter-based random numbers: what is drawn follows from (seed, step, sample, use) alone, so that a resumed run
 * needs no state and order of work does not matter. The generator is pcg4d (Jarzynski & Olano, "Hash Functions for
 * GPU Rendering", JCGT 9(3), 2020). For data and initial values; not for secrets.
 */
import { requireThat } from './errors.ts'
import { cos, log } from './math.ts'

/** What numbers are drawn for: draws of one sample for different uses are independent. */
export const USE = {
  init: 0,
  order: 1,
  sample: 2,
  control: 3,
  augment: 4,
  match: 5,
  caption: 6,
  episode: 7,
  split: 8,
} as const

const TWO_32 = 2 ** 32

type Four = [number, number, number, number]

/** Four 32-bit words to four, one to one: all bits of the result depend on all of the input. */
export function pcg4d(a: number, b: number, c: number, d: number): Four {
  let [x, y, z, w] = [a, b, c, d].map((word) => (Math.imul(word, 1664525) + 1013904223) | 0)
  for (let round = 0; round < 2; round++) {
    x = (x + Math.imul(y, w)) | 0
    y = (y + Math.imul(z, x)) | 0
    z = (z + Math.imul(x, y)) | 0
    w = (w + Math.imul(y, z)) | 0
    if (round === 1) break
    x ^= x >>> 16
    y ^= y >>> 16
    z ^= z >>> 16
    w ^= w >>> 16
  }
  return [x >>> 0, y >>> 0, z >>> 0, w >>> 0]
}

/** The numbers drawn for one key; equal keys give equal numbers. Key words are whole numbers in [0, 2^32). */
export class Stream {
  private readonly key: Four
  private block: Four = [0, 0, 0, 0]
  private drawn = 0

  constructor(seed: number, step: number, sample: number, use: number) {
    for (const word of [seed, step, sample, use]) {
      requireThat(
        Number.isInteger(word) && word >= 0 && word < TWO_32,
        'Stream',
        'key words must be in [0, 2^32)',
        word,
      )
    }
    this.key = pcg4d(seed, step, sample, use)
  }

  /** Uniform whole number in [0, 2^32). */
  word(): number {
    const at = this.drawn++ % 4
    if (at === 0) {
      const [x, y, z, w] = this.key
      // The counter changes one word of a hashed key: blocks of a stream differ, as pcg4d is one to one.
      this.block = pcg4d(x + (this.drawn - 1) / 4, y, z, w)
    }
    return this.block[at]
  }

  /** Uniform in [0, 1), a multiple of 2^-32. */
  next(): number {
    return this.word() / TWO_32
  }

  /** Normal with mean 0 and deviation 1 (Box & Muller 1958): two draws each, at most 6.7 in size. */
  normal(): number {
    const radius = Math.sqrt(-2 * log((this.word() + 1) / TWO_32))
    return radius * cos(2 * Math.PI * this.next())
  }

  /** Uniform whole number in [0, n); its bias is below n / 2^32. */
  below(n: number): number {
    requireThat(Number.isInteger(n) && n >= 1 && n <= TWO_32, 'below', 'n must be a whole number from 1 to 2^32', n)
    return Math.floor(this.next() * n)
  }
}

/** Up to `most` of the items in random order, no one twice. */
export function drawSome<T>(items: readonly T[], most: number, stream: Stream): T[] {
  const left = items.slice()
  return Array.from({ length: Math.min(most, left.length) }, () => left.splice(stream.below(left.length), 1)[0])
}

/** A permutation of 0 .. n-1 that follows from the key (Fisher & Yates). */
export function shuffle(n: number, seed: number, step: number, sample: number, use: number): Uint32Array {
  const stream = new Stream(seed, step, sample, use)
  const order = Uint32Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = stream.below(i + 1)
    const moved = order[i]
    order[i] = order[j]
    order[j] = moved
  }
  return order
}
