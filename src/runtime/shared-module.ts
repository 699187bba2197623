/**
 * A kernel module for several threads: the same code on a memory that is shared and comes from outside. Its section of
 * memory is taken out of the bytes and a section of imports put in, so nothing is compiled or shipped twice, and one
 * and several threads run the same instructions.
 */
import { requireThat } from '../base/errors.ts'

const IMPORT_SECTION = 2
const MEMORY_SECTION = 5
/** Memory that is shared and has a largest size. */
const SHARED = 3
/** `env`, `memory`, and that this is a memory. */
const IMPORT = [1, 3, 0x65, 0x6e, 0x76, 6, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 2, SHARED]

/** A number in groups of seven bits, low ones first (LEB128). */
function encode(n: number): number[] {
  return n < 128 ? [n] : [(n % 128) + 128, ...encode(Math.floor(n / 128))]
}

/** The number at `at`, and the place behind it. */
function decode(bytes: Uint8Array, at: number): [n: number, next: number] {
  let n = 0
  for (let shift = 1; ; shift *= 128) {
    const byte = bytes[at++]
    n += (byte & 127) * shift
    if (byte < 128) return [n, at]
  }
}

/** The module whose `env.memory` has room for up to `maximum` pages, and the pages that it must have at first. */
export function sharedModule(
  wasm: Uint8Array<ArrayBuffer>,
  maximum: number,
): { wasm: Uint8Array<ArrayBuffer>; initial: number } {
  const parts: (Uint8Array | number[])[] = [wasm.subarray(0, 8)]
  let importAt = 0
  let initial = -1
  for (let at = 8; at < wasm.length;) {
    const id = wasm[at]
    const [size, body] = decode(wasm, at + 1)
    // Imports stand behind the types.
    if (importAt === 0 && id > IMPORT_SECTION) importAt = parts.push([]) - 1
    if (id === MEMORY_SECTION) [initial] = decode(wasm, body + 2)
    else parts.push(wasm.subarray(at, body + size))
    at = body + size
  }
  requireThat(initial >= 0, 'kernels', 'must have a memory of their own')
  const content = [...IMPORT, ...encode(initial), ...encode(maximum)]
  parts[importAt] = [IMPORT_SECTION, ...encode(content.length), ...content]
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return { wasm: bytes, initial }
}
