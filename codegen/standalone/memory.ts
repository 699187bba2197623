/**
 * Gives a compiled module its memory: as many pages as it needs from the start, and more data, such as the weights of a
 * model. On the sections of the binary (WebAssembly core specification, chapter 5.5), since binaryen's JavaScript
 * interface sets the memory of a module only once.
 */
const HEADER_BYTES = 8
const MEMORY = 5
const DATA = 11
const DATA_COUNT = 12
const PAGE = 65536

/** Bytes that memory holds at an address from the start. */
export interface Segment {
  at: number
  data: Uint8Array
}

/** A module with memory of at least `bytes` bytes and no limit, and with `segments` behind its own data. */
export function withMemory(wasm: Uint8Array, bytes: number, segments: readonly Segment[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [wasm.subarray(0, HEADER_BYTES)]
  let hasData = false
  for (let at = HEADER_BYTES; at < wasm.length;) {
    const id = wasm[at]
    const size = readUnsigned(wasm, at + 1)
    const contents = wasm.subarray(size.end, size.end + size.value)
    at = size.end + size.value
    if (id === MEMORY) parts.push(...section(MEMORY, [Uint8Array.of(1, 0, ...unsigned(Math.ceil(bytes / PAGE)))]))
    else if (id === DATA_COUNT) parts.push(...section(DATA_COUNT, [addedTo(contents, segments.length)]))
    else if (id === DATA) parts.push(...dataSection(contents, segments))
    else parts.push(...section(id, [contents]))
    hasData ||= id === DATA
  }
  // Names and other custom sections may stand behind it; stripped modules have none.
  if (!hasData) parts.push(...dataSection(Uint8Array.of(0), segments))
  return Buffer.concat(parts)
}

/** A data section of the `old` contents and segments at constant addresses. */
function dataSection(old: Uint8Array, segments: readonly Segment[]): Uint8Array[] {
  const added = segments.flatMap(({ at, data }) => {
    // Active, in memory 0, at (i32.const at).
    const head = Uint8Array.of(0, 0x41, ...signed(at), 0x0b, ...unsigned(data.length))
    return [head, data]
  })
  return section(DATA, [addedTo(old, segments.length), old.subarray(readUnsigned(old, 0).end), ...added])
}

/** The number that a vector of the binary format begins with, raised. */
function addedTo(contents: Uint8Array, more: number): Uint8Array {
  return Uint8Array.from(unsigned(readUnsigned(contents, 0).value + more))
}

function section(id: number, contents: readonly Uint8Array[]): Uint8Array[] {
  const size = contents.reduce((sum, { length }) => sum + length, 0)
  return [Uint8Array.of(id, ...unsigned(size)), ...contents]
}

/** LEB128 of a whole number from 0 to 2^32 - 1. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

/** Signed LEB128 of the 32 bits of a whole number. */
function signed(value: number): number[] {
  const rest = value >> 7
  const isLast = (rest === 0 && (value & 0x40) === 0) || (rest === -1 && (value & 0x40) !== 0)
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(rest)]
}

function readUnsigned(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return { value: value >>> 0, end: at }
  }
}
