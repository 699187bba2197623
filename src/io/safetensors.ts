/**
 * The safetensors container (github.com/huggingface/safetensors, format section): u64 length of the header, the header
 * as JSON, then the raw data. Reads any valid file, refusing a hostile one before anything is allocated for its data;
 * writes a strict subset of our own (`sealSafetensors`), which `{ strict: true }` asks for. Runs anywhere: no Node.
 * Reading is zero-copy where the data is aligned, so tensors share memory with the bytes that they were read from.
 */
import { errorText, message, refuse, requireKind, requireThat, type Fault } from '../base/errors.ts'
import { checksum } from './checksum.ts'
import { isCount, isRecord } from './json.ts'
import { requireUniqueKeys } from './json-keys.ts'

/** Array type and element width by dtype; F16 and BF16 are given as their raw 16 bits, BOOL as bytes 0 and 1. */
const ARRAYS = {
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  F32: Float32Array,
  I32: Int32Array,
  U32: Uint32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const

/** Bytes of an element. */
const WIDTHS = new Map<unknown, number>(Object.entries(ARRAYS).map(([dtype, type]) => [dtype, type.BYTES_PER_ELEMENT]))

export type SafetensorsDtype = keyof typeof ARRAYS
export type TypedArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array

export interface Tensor {
  dtype: SafetensorsDtype
  shape: number[]
  /** Elements in row-major order; as many as the product of `shape`. */
  data: TypedArray
}

export interface Container {
  /** In the order of the data. */
  tensors: Map<string, Tensor>
  metadata: Record<string, string>
}

/** Bytes. Our own headers stay below the first; the second is far above any model that is imported here. */
const OWN_HEADER_LIMIT = 2 ** 20
const HEADER_LIMIT = 2 ** 24
const ALIGN = 64
const PREFIX = 8

/** What `metadata.format` of our own files says. */
export const FORMAT = 'bitgen/3'
/** How the header of our own files begins; the 16 digits of the checksum of all bytes behind them follow. */
const SEAL = '{"__metadata__":{"checksum":"'
const DIGITS = 16
const SEALED_FROM = PREFIX + SEAL.length + DIGITS

interface Entry {
  name: string
  dtype: SafetensorsDtype
  shape: number[]
  begin: number
  end: number
}

/** An entry of the header that has been checked. */
interface EntryJson {
  dtype: SafetensorsDtype
  shape: number[]
  data_offsets: number[]
}

const KEYS: readonly string[] = ['dtype', 'shape', 'data_offsets'] satisfies (keyof EntryJson)[]

/** A tensor around an array, the dtype taken from its kind; 16-bit codes count as F16 and bytes as U8. */
export function tensorOf(data: TypedArray, shape: number[] = [data.length]): Tensor {
  const kinds: SafetensorsDtype[] = ['F32', 'F64', 'I32', 'I8', 'U8', 'F16', 'I64', 'U64', 'U32', 'I16']
  const dtype = kinds.find((kind) => data instanceof ARRAYS[kind])
  requireKind(dtype !== undefined, 'tensorOf', 'data must be a typed array', data)
  return { dtype, shape, data }
}

/**
 * The tensors and metadata of a file. `strict` asks for our own subset: format, checksum, header of at most 1 MiB, data
 * at a multiple of 64 bytes.
 * Throws RangeError on anything else: truncation, bad JSON, duplicate names, gaps or overlaps, sizes that do not fit.
 */
export function readSafetensors(bytes: Uint8Array, options: { strict?: boolean } = {}): Container {
  requireKind(bytes instanceof Uint8Array, 'safetensors', 'bytes must be a Uint8Array', bytes)
  const dataAt = PREFIX + headerLength(bytes, options.strict ? OWN_HEADER_LIMIT : HEADER_LIMIT)
  const { entries, metadata } = parseHeader(bytes.subarray(PREFIX, dataAt))
  checkContiguous(entries, bytes.length - dataAt)
  if (options.strict) checkStrict(bytes, metadata, dataAt)
  const tensors = new Map<string, Tensor>()
  entries.forEach(({ name, dtype, shape, begin, end }) => {
    tensors.set(name, { dtype, shape, data: viewAt(bytes, dtype, dataAt + begin, end - begin) })
  })
  return { tensors, metadata }
}

/**
 * A file of `tensors`: the same bytes for the same content, whatever the order of the map (wide elements first, then
 * by name, so that every tensor is aligned to its element). Throws where data and shape disagree.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Record<string, string> = {},
): Uint8Array {
  const entries = layOut(tensors)
  const header = headerBytes(entries, metadata)
  const dataAt = PREFIX + header.length
  const file = new Uint8Array(dataAt + (entries.at(-1)?.end ?? 0))
  new DataView(file.buffer).setUint32(0, header.length, true)
  file.set(header, PREFIX)
  for (const { name, begin } of entries) {
    const { data } = tensors.get(name)!
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), dataAt + begin)
  }
  return file
}

/** A file of the strict subset: format and checksum join the metadata. */
export function sealSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Record<string, string> = {},
): Uint8Array {
  const file = writeSafetensors(tensors, { ...metadata, format: FORMAT, checksum: '0'.repeat(DIGITS) })
  file.set(new TextEncoder().encode(checksum(file.subarray(SEALED_FROM))), SEALED_FROM - DIGITS)
  return file
}

/** Bytes of the header, known to lie within the file. */
function headerLength(bytes: Uint8Array, limit: number): number {
  requireThat(bytes.length >= PREFIX, 'safetensors', `a file must have at least ${PREFIX} bytes`, bytes.length)
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, PREFIX).getBigUint64(0, true))
  requireThat(length <= limit, 'safetensors', `the header must have at most ${limit} bytes`, length)
  const left = bytes.length - PREFIX
  requireThat(length <= left, 'safetensors', `the header of ${length} bytes must be complete`, left)
  return length
}

function parseHeader(header: Uint8Array): { entries: Entry[]; metadata: Record<string, string> } {
  let parsed: unknown
  let text = ''
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header)
    parsed = JSON.parse(text)
  } catch (error) {
    throw new RangeError(`safetensors: the header must be JSON in UTF-8: ${errorText(error)}`)
  }
  requireThat(isRecord(parsed) && text[0] === '{', 'safetensors', 'the header must be an object')
  const { __metadata__: metadata = {} } = parsed
  const allText = isRecord(metadata) && Object.values(metadata).every((value) => typeof value === 'string')
  requireThat(allText, 'safetensors', '__metadata__ must map strings to strings', metadata)
  const entries: Entry[] = []
  const names = Object.keys(parsed)
  for (let i = 0; i < names.length; i++) {
    const name = names[i]
    if (name !== '__metadata__') entries.push(parseEntry(name, parsed[name]))
  }
  // Behind the checks of all parts: what is deeply nested is none of a header.
  requireUniqueKeys(text, parsed)
  return { entries, metadata: metadata as Record<string, string> }
}

function label(name: string): string {
  return `safetensors tensor ${JSON.stringify(name.slice(0, 80))}`
}

function parseEntry(name: string, entry: unknown): Entry {
  const fault = entryFault(entry)
  if (fault) refuse(fault, () => label(name))
  const { dtype, shape, data_offsets: offsets } = entry as EntryJson
  return { name, dtype, shape, begin: offsets[0], end: offsets[1] }
}

function entryFault(entry: unknown): Fault {
  if (!isRecord(entry)) return ['must be an object', entry]
  const { dtype, shape, data_offsets: offsets } = entry
  const keys = Object.keys(entry)
  if (keys.length > KEYS.length) return ['must not have other keys', keys.filter((key) => !KEYS.includes(key))]
  let bytes = WIDTHS.get(dtype)
  if (bytes === undefined) return ['dtype must be known', dtype]
  if (!Array.isArray(shape)) return ['shape must be a list of whole numbers', shape]
  // By index: an engine at its start takes far longer over a list with functions.
  for (let i = 0; i < shape.length; i++) {
    if (!isCount(shape[i])) return ['shape must be a list of whole numbers', shape]
    bytes *= shape[i]
    if (!Number.isSafeInteger(bytes)) return ['the size of its shape must not overflow', shape]
  }
  const isSpan = Array.isArray(offsets) && offsets.length === 2 && isCount(offsets[0]) && isCount(offsets[1])
  if (!isSpan) return ['data_offsets must be two whole numbers', offsets]
  const spans = offsets[1] - offsets[0] === bytes
  return spans ? undefined : [`data_offsets must span the ${bytes} bytes of its shape`, offsets]
}

/** Sorts by place, where that is not how they stand; every byte of the data must belong to exactly one tensor. */
function checkContiguous(entries: Entry[], dataBytes: number): void {
  let follows = firstApart(entries)
  if (follows < entries.length) {
    entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
    follows = firstApart(entries)
  }
  const end = entries[follows - 1]?.end ?? 0
  if (follows < entries.length) {
    const { name, begin } = entries[follows]
    throw new RangeError(message(label(name), `its data must begin at ${end}, without gap or overlap`, begin))
  }
  requireThat(end === dataBytes, 'safetensors', `the data must have ${end} bytes`, dataBytes)
}

/** The first entry that does not begin where the one before ends. */
function firstApart(entries: readonly Entry[]): number {
  let i = 0
  for (let next = 0; i < entries.length && entries[i].begin === next; i++) next = entries[i].end
  return i
}

function checkStrict(bytes: Uint8Array, metadata: Record<string, string>, dataAt: number): void {
  requireThat(metadata.format === FORMAT, 'safetensors', `metadata.format must be ${FORMAT}`, metadata.format ?? null)
  requireThat(dataAt % ALIGN === 0, 'safetensors', `the data must begin at a multiple of ${ALIGN} bytes`, dataAt)
  const start = new TextDecoder().decode(bytes.subarray(PREFIX, SEALED_FROM - DIGITS))
  requireThat(start === SEAL, 'safetensors', `the header must begin with ${SEAL}`, start)
  const digits = checksum(bytes.subarray(SEALED_FROM))
  requireThat(metadata.checksum === digits, 'safetensors', `the checksum must be ${digits}`, metadata.checksum)
}

/** Places of the tensors of a file to be written. */
function layOut(tensors: ReadonlyMap<string, Tensor>): Entry[] {
  const width = (name: string) => ARRAYS[tensors.get(name)!.dtype].BYTES_PER_ELEMENT
  const names = [...tensors.keys()].sort((a, b) => width(b) - width(a) || (a < b ? -1 : 1))
  let next = 0
  return names.map((name) => {
    const { dtype, shape, data } = tensors.get(name)!
    requireKind(
      data instanceof ARRAYS[dtype],
      name,
      `data of ${dtype} must be a ${ARRAYS[dtype].name}`,
      data.constructor.name,
    )
    const size = shape.reduce((product, dim) => product * dim, 1)
    requireThat(
      isSizes(shape) && size === data.length,
      name,
      `data must have the ${size} elements of its shape`,
      data.length,
    )
    requireThat(name !== '__metadata__', 'safetensors', 'a tensor must not be called __metadata__')
    const begin = next
    next += data.byteLength
    return { name, dtype, shape: [...shape], begin, end: next }
  })
}

/** The header, padded with spaces so that the data begins at a multiple of 64 bytes; a checksum comes first (SEAL). */
function headerBytes(entries: readonly Entry[], metadata: Record<string, string>): Uint8Array {
  const isChecksum = (key: string) => Number(key === 'checksum')
  const sorted = Object.entries(metadata).sort(([a], [b]) => isChecksum(b) - isChecksum(a) || (a < b ? -1 : 1))
  const tensors = entries.map(({ name, dtype, shape, begin, end }): [string, unknown] => {
    return [name, { dtype, shape, data_offsets: [begin, end] }]
  })
  const text = JSON.stringify(Object.fromEntries([['__metadata__', Object.fromEntries(sorted)], ...tensors]))
  const bytes = new TextEncoder().encode(text)
  const padded = new Uint8Array(Math.ceil((PREFIX + bytes.length) / ALIGN) * ALIGN - PREFIX).fill(0x20)
  requireThat(
    padded.length <= OWN_HEADER_LIMIT,
    'safetensors',
    `the header must have at most ${OWN_HEADER_LIMIT} bytes`,
    padded.length,
  )
  padded.set(bytes)
  return padded
}

/** A view where the address allows it, else a copy. */
function viewAt(bytes: Uint8Array, dtype: SafetensorsDtype, at: number, length: number): TypedArray {
  const type = ARRAYS[dtype]
  const count = length / type.BYTES_PER_ELEMENT
  const aligned = (bytes.byteOffset + at) % type.BYTES_PER_ELEMENT === 0
  if (aligned) return new type(bytes.buffer as ArrayBuffer, bytes.byteOffset + at, count)
  return new type(new Uint8Array(bytes.subarray(at, at + length)).buffer, 0, count)
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isCount)
}
