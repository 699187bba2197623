/**
 * The decoder of a loaded model, one token at a time for several hypotheses of equal length (model.md section 7). Plans
 * have no state: what a hypothesis remembers, its keys and values, is held by the host and written before each step. So
 * captions of several pictures may be made in turns.
 */
import { requireThat } from '../base/errors.ts'
import type { Symbols } from '../base/shape.ts'
import type { Executor } from './execute.ts'
import type { StepDecoder } from './search.ts'

/** Keys and values [L,C] of the tokens of one hypothesis, by the name of the input that takes them. */
export type Cache = ReadonlyMap<string, Float32Array>

/** Decodes one picture. */
export class Decoder implements StepDecoder<Cache> {
  private readonly executor: Executor
  private readonly states: Float32Array
  private readonly read: Float32Array
  private readonly usesMemory: boolean
  /** Keys and values of the picture, by the names of inputs; made with the first token. */
  private image: Cache = new Map()

  /**
   * `states` [1+P,C] are the unimodal states of the picture; `read` [C] is what the memory read for it, if it did.
   * Throws where the model has no decoder.
   */
  constructor(executor: Executor, states: Float32Array, read: Float32Array | null) {
    requireThat(executor.hasPlan('startDecoding'), 'caption', 'must be asked of a model that was trained to caption')
    this.executor = executor
    this.states = states
    this.usesMemory = read !== null
    this.read = read ?? new Float32Array(executor.io('startDecoding', 'read', { B: 1 }).length)
  }

  /** Ids that may be chosen for a caption: each is decoded behind all before it, the first behind BOS. */
  get maximumLength(): number {
    return this.executor.maximum('decodeNext', 'N')
  }

  /** Hypotheses that may be decoded at once. */
  get maximumWidth(): number {
    return this.executor.maximum('decodeNext', 'B')
  }

  /** Logits [B,V] of the token behind `ids` [B], the caches with those of `ids` behind; at position 0 B is 1. */
  step(ids: readonly number[], position: number, caches: readonly Cache[]): Step {
    const B = ids.length
    const first = position === 0
    const plan = first ? 'startDecoding' : 'decodeNext'
    const symbols: Symbols = first ? { B } : { B, L: position, N: position + 1 }
    const channels = this.read.length
    const visible = this.states.length / channels + Number(this.usesMemory)
    this.write(plan, 'ids', symbols, ids)
    this.write(plan, 'position', symbols, [position])
    this.write(
      plan,
      'visible',
      symbols,
      ids.map(() => visible),
    )
    ids.forEach((_, row) => {
      this.writeRow(plan, 'read', symbols, row, this.read)
      if (first) return this.writeRow(plan, 'image_states', symbols, row, this.states)
      for (const [name, data] of this.image) this.writeRow(plan, name, symbols, row, data)
      for (const [name, data] of caches[row]) this.writeRow(plan, name, symbols, row, data)
    })
    this.executor.run(plan, symbols)
    const logits = this.output(plan, 'logits', symbols)
    if (first) this.image = new Map(this.outputs(plan, 'image.', symbols))
    const added = this.outputs(plan, 'added.', symbols)
    const grown = ids.map((_, row) => grow(caches[row], added, row, channels))
    return { logits, columns: logits.length / B, caches: grown }
  }

  private write(plan: string, name: string, symbols: Symbols, data: readonly number[]): void {
    this.executor.io(plan, name, symbols).set(data)
  }

  private writeRow(plan: string, name: string, symbols: Symbols, row: number, data: Float32Array): void {
    this.executor.io(plan, name, symbols).set(data, row * data.length)
  }

  private output(plan: string, name: string, symbols: Symbols): Float32Array {
    return this.executor.io(plan, name, symbols).slice() as Float32Array
  }

  private outputs(plan: string, prefix: string, symbols: Symbols): [string, Float32Array][] {
    const names = this.executor.outputs(plan).filter((name) => name.startsWith(prefix))
    return names.map((name) => [name, this.output(plan, name, symbols)])
  }
}

interface Step {
  logits: Float32Array
  columns: number
  caches: Cache[]
}

/** A cache with row `row` of what a step added [B,1,C] behind. */
function grow(cache: Cache | undefined, added: [string, Float32Array][], row: number, channels: number): Cache {
  return new Map(
    added.map(([name, data]) => {
      const past = name.replace(/^added/, 'past')
      const before = cache?.get(past) ?? new Float32Array(0)
      const all = new Float32Array(before.length + channels)
      all.set(before)
      all.set(data.subarray(row * channels, (row + 1) * channels), before.length)
      return [past, all]
    }),
  )
}
