/**
 * The file of an episodic memory: one sealed safetensors file of what was taught. Metadata `kind: memory` with ids and
 * labels as JSON in the order of writing, the next id to generate, and the checksum of the prior, which tells models
 * apart.
 */
import { requireThat } from '../base/errors.ts'
import { checksum } from './checksum.ts'
import { parseJson } from './json.ts'
import { readSafetensors, sealSafetensors, tensorOf } from './safetensors.ts'

const WHERE = 'memory file'
const FEATURES = ['image', 'text', 'z'] as const

/** Sizes of a model's memory: of codes and text features, and of keys of pictures. */
export interface MemorySizes {
  channels: number
  imageLength: number
}

/** What is taught: `z` the code [C], `image` the key of the picture (runtime/image-key.ts), `text` the feature [C]. */
export interface MemoryEntry {
  id: string
  label: string
  z: Float32Array
  image: Float32Array
  text: Float32Array
}

export interface MemoryFile {
  /** Oldest first. */
  entries: MemoryEntry[]
  /** The number of the next id to generate. */
  next: number
}

/** The bytes of a memory; the same for the same content. */
export function writeMemoryFile({ entries, next }: MemoryFile, prior: Float64Array, sizes: MemorySizes): Uint8Array {
  const tensors = new Map(
    FEATURES.map((feature) => {
      const length = lengthOf(feature, sizes)
      const data = new Float32Array(entries.length * length)
      entries.forEach((entry, i) => data.set(entry[feature], i * length))
      return [feature, tensorOf(data, [entries.length, length])]
    }),
  )
  const ledger = JSON.stringify(entries.map(({ id, label }) => [id, label]))
  return sealSafetensors(tensors, { kind: 'memory', ledger, next: String(next), prior: checksumOf(prior) })
}

/** Reads a file for a model with this prior. Throws a RangeError that names what does not hold. */
export function readMemoryFile(bytes: Uint8Array, prior: Float64Array, sizes: MemorySizes): MemoryFile {
  const { tensors, metadata } = readSafetensors(bytes, { strict: true })
  requireThat(metadata.kind === 'memory', WHERE, 'must be of kind memory', metadata.kind ?? null)
  const ofPrior = checksumOf(prior)
  requireThat(metadata.prior === ofPrior, WHERE, `must be of the model with prior ${ofPrior}`, metadata.prior ?? null)
  const ledger = parseLedger(metadata.ledger)
  requireThat(/^[1-9]\d{0,14}$/.test(metadata.next), WHERE, 'next must be a whole number from 1', metadata.next ?? null)
  const [image, text, z] = FEATURES.map((feature) => {
    const tensor = tensors.get(feature)
    const length = lengthOf(feature, sizes)
    const shape = `[${ledger.length},${length}]`
    const fits = tensor?.dtype === 'F32' && `[${tensor.shape}]` === shape
    requireThat(fits, WHERE, `${feature} must be F32 ${shape}`, tensor && [tensor.dtype, ...tensor.shape])
    requireThat((tensor.data as Float32Array).every(Number.isFinite), WHERE, `${feature} must be finite`)
    return (i: number) => tensor.data.slice(i * length, (i + 1) * length) as Float32Array
  })
  const entries = ledger.map(([id, label], i) => ({ id, label, z: z(i), image: image(i), text: text(i) }))
  return { entries, next: Number(metadata.next) }
}

function lengthOf(feature: (typeof FEATURES)[number], { channels, imageLength }: MemorySizes): number {
  return feature === 'image' ? imageLength : channels
}

function parseLedger(text = ''): [id: string, label: string][] {
  const ledger = parseJson(WHERE, 'ledger must be JSON', text)
  const isEntry = (entry: unknown) =>
    Array.isArray(entry) && entry.length === 2 && entry.every((part) => typeof part === 'string')
  requireThat(Array.isArray(ledger) && ledger.every(isEntry), WHERE, 'ledger must be a list of id and label', ledger)
  requireThat(new Set(ledger.map(([id]) => id)).size === ledger.length, WHERE, 'ids must differ')
  return ledger
}

/** As f32, so that it does not depend on how the prior is held. */
function checksumOf(prior: Float64Array): string {
  return checksum(new Uint8Array(Float32Array.from(prior).buffer))
}
