/**
 * The episodic memory of inference (model.md section 6; Larimar, arXiv 2403.11901): one posterior for all codes taught,
 * and a ledger of what was written, so that an entry can be forgotten exactly and found again by its features.
 * Codes and features come from a model; this imports nothing of it. The state is float64.
 */
import { requireKind, requireThat } from '../base/errors.ts'
import { cholesky, identity, plus, product, solve } from '../base/linear.ts'
import { addresses, NOISE, ridgedFactor } from '../base/posterior.ts'
import { readMemoryFile, writeMemoryFile, type MemoryEntry, type MemorySizes } from '../io/memory-file.ts'

/** Entries forgotten by subtraction before the posterior is built anew, so that rounding does not add up. */
const REBUILD = 64
const CAPACITY = 1024

export type { MemoryEntry } from '../io/memory-file.ts'

export interface MemoryOptions extends MemorySizes {
  /** M0 [slots, channels] of the model. */
  prior: Float32Array | Float64Array
  slots: number
  /** Entries; beyond, the oldest is forgotten. Default 1024. */
  capacity?: number
}

/** One of the three. */
export interface MemoryQuery {
  image?: Float32Array
  text?: Float32Array
  code?: Float32Array
}

export interface MemoryMatch {
  id: string
  label: string
  /** Cosine. */
  similarity: number
}

export class EpisodicMemory {
  readonly slots: number
  readonly channels: number
  readonly imageLength: number
  readonly capacity: number
  private readonly prior: Float64Array
  /** Cholesky factor of the ridged Gram matrix of the prior: all write addresses are solves with it. */
  private readonly factor: Float64Array
  /** In the order of writing. */
  private readonly ledger = new Map<string, MemoryEntry>()
  private Cm!: Float64Array
  private Hm!: Float64Array
  private downdates = 0
  /** The next id to generate. */
  private next = 1
  /** Kept until the state changes: M, and the factor of its ridged Gram matrix. */
  private cached: { M: Float64Array; factor: Float64Array } | undefined

  constructor({ prior, slots, channels, imageLength, capacity = CAPACITY }: MemoryOptions) {
    for (const [name, value] of Object.entries({ slots, channels, imageLength, capacity })) {
      requireThat(Number.isSafeInteger(value) && value >= 1, 'memory', `${name} must be a whole number from 1`, value)
    }
    const size = slots * channels
    requireThat(prior.length === size, 'memory', `prior must have ${slots} x ${channels} numbers`, prior.length)
    this.slots = slots
    this.channels = channels
    this.imageLength = imageLength
    this.capacity = capacity
    this.prior = Float64Array.from(prior)
    this.factor = ridgedFactor(this.prior, slots, channels)
    this.rebuild()
  }

  get size(): number {
    return this.ledger.size
  }

  /** What is remembered under an id. Throws a RangeError where nothing is. */
  entry(id: string): MemoryEntry {
    const entry = this.ledger.get(id)
    requireThat(entry !== undefined, 'memory', 'must have an entry of this id', id)
    return entry
  }

  /** Ids and labels, oldest first. */
  list(): { id: string; label: string }[] {
    return Array.from(this.ledger.values(), ({ id, label }) => ({ id, label }))
  }

  /**
   * Remembers an entry; without an id it gets a number that no other has or had. Where the memory is full the oldest
   * entry is forgotten first, which `evicted` names. Throws a RangeError where the id exists or a feature does not fit.
   */
  write(entry: Omit<MemoryEntry, 'id'> & { id?: string }): { id: string; evicted?: string } {
    const { id = String(this.next), label } = entry
    requireKind(typeof id === 'string' && typeof label === 'string', 'memory', 'id and label must be strings', entry)
    requireThat(!this.ledger.has(id), 'memory', 'must not have this id yet', id)
    const z = this.checked(entry.z).slice()
    const image = this.checkedImage(entry.image).slice()
    const text = this.checked(entry.text).slice()
    const oldest = this.size < this.capacity ? undefined : this.ledger.keys().next().value
    if (oldest !== undefined) this.forget(oldest)
    this.ledger.set(id, { id, label, z, image, text })
    this.add(z, 1)
    // A number that was given is not generated later on.
    if (entry.id === undefined) this.next++
    else if (/^[1-9]\d{0,8}$/.test(id)) this.next = Math.max(this.next, Number(id) + 1)
    return oldest === undefined ? { id } : { id, evicted: oldest }
  }

  /** Takes an entry out of posterior and ledger: the state is what it would be without it. Throws on an unknown id. */
  forget(id: string): void {
    const { z } = this.entry(id)
    this.ledger.delete(id)
    if (++this.downdates < REBUILD) this.add(z, -1)
    else this.rebuild()
  }

  /** The posterior mean M [slots, channels]. */
  mean(): Float64Array {
    return this.posterior().M
  }

  /** Natural parameters of the posterior, Cm [slots, slots] and Hm [slots, channels]: copies. */
  state(): { Cm: Float64Array; Hm: Float64Array } {
    return { Cm: this.Cm.slice(), Hm: this.Hm.slice() }
  }

  /** What the memory makes of a code: z_r [channels] for the decoder, and its address [slots]. */
  read(z: Float32Array): { z: Float32Array; address: Float64Array } {
    const { slots, channels } = this
    const { M, factor } = this.posterior()
    const address = addresses(factor, M, Float64Array.from(this.checked(z)), slots, channels)
    return { z: Float32Array.from(product(address, M, 1, slots, channels)), address }
  }

  /** All entries by the cosine with what they have of the query's kind, most similar first; of equal ones the oldest. */
  rank(query: MemoryQuery): MemoryMatch[] {
    const given = (['image', 'text', 'code'] as const).filter((kind) => query[kind] !== undefined)
    requireThat(given.length === 1, 'memory', 'a query must have one of image, text and code', given)
    const [kind] = given
    const q = kind === 'image' ? this.checkedImage(query.image!) : this.checked(query[kind]!)
    const own = kind === 'code' ? 'z' : kind
    return Array.from(this.ledger.values(), (entry) => ({
      id: entry.id,
      label: entry.label,
      similarity: cosine(q, entry[own]),
    })).sort((a, b) => b.similarity - a.similarity)
  }

  /** The first of `rank`; null where nothing is remembered. */
  nearest(query: MemoryQuery): MemoryMatch | null {
    return this.rank(query)[0] ?? null
  }

  /** The ledger as a file; the posterior follows from it. Ids and labels may fill a header of 1 MiB. */
  save(): Uint8Array {
    return writeMemoryFile({ entries: [...this.ledger.values()], next: this.next }, this.prior, this)
  }

  /** The memory of a file. Throws a RangeError where it is damaged, too large, or of another model. */
  static load(bytes: Uint8Array, options: MemoryOptions): EpisodicMemory {
    const memory = new EpisodicMemory(options)
    const { entries, next } = readMemoryFile(bytes, memory.prior, memory)
    const { capacity } = memory
    requireThat(entries.length <= capacity, 'memory file', `must have at most ${capacity} entries`, entries.length)
    for (const entry of entries) memory.write(entry)
    memory.next = Math.max(memory.next, next)
    // Codes that no posterior can be computed from are refused now.
    memory.posterior()
    return memory
  }

  /** Adds a code to the natural parameters, or with sign -1 takes it out. */
  private add(z: Float32Array, sign: 1 | -1): void {
    const { slots, channels } = this
    const code = Float64Array.from(z)
    const w = addresses(this.factor, this.prior, code, slots, channels)
    this.Cm = plus(this.Cm, product(w, w, slots, 1, slots), sign)
    this.Hm = plus(this.Hm, product(w, code, slots, 1, channels), sign)
    this.cached = undefined
  }

  /** The state from prior and ledger. */
  private rebuild(): void {
    this.Cm = identity(this.slots, NOISE)
    this.Hm = this.prior.map((m) => NOISE * m)
    this.downdates = 0
    this.cached = undefined
    for (const { z } of this.ledger.values()) this.add(z, 1)
  }

  private posterior(): { M: Float64Array; factor: Float64Array } {
    if (!this.cached) {
      const M = solve(cholesky(this.Cm, this.slots), this.Hm, this.slots)
      this.cached = { M, factor: ridgedFactor(M, this.slots, this.channels) }
    }
    return this.cached
  }

  private checkedImage(key: Float32Array): Float32Array {
    return this.checked(key, 'keys of pictures', this.imageLength)
  }

  private checked(feature: Float32Array, what = 'codes and features', length = this.channels): Float32Array {
    requireKind(feature instanceof Float32Array, 'memory', `${what} must be Float32Arrays`, feature)
    requireThat(feature.length === length, 'memory', `${what} must have ${length} numbers`, feature.length)
    requireThat(feature.every(Number.isFinite), 'memory', `${what} must be finite`)
    return feature
  }
}

/** 0 where one of them is zero. */
function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i]
    aa += a[i] * a[i]
    bb += b[i] * b[i]
  }
  return aa * bb > 0 ? dot / Math.sqrt(aa * bb) : 0
}
