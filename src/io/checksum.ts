/**
 * The checksum of files: XXH64 with seed 0 (assembly/checksum.ts). Finds damage, not malice. In WebAssembly, since a
 * start has no time for an engine to make JavaScript fast, and SHA-256 of the engine takes Node 10 ms at first use and
 * is absent in pages without TLS.
 */
import { fromBase64 } from '../base/base64.ts'
import wasm from '../../build/checksum.js'

interface Exports {
  memory: WebAssembly.Memory
  reset(): void
  update(length: number): void
  digest(): bigint
}

let loaded: Exports | undefined

function load(): Exports {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(fromBase64(wasm)))
  const { memory } = exports as unknown as Exports
  memory.grow(1)
  return exports as unknown as Exports
}

/** 16 lower-case hex digits. */
export function checksum(bytes: Uint8Array): string {
  const { memory, reset, update, digest } = (loaded ??= load())
  const page = new Uint8Array(memory.buffer)
  reset()
  for (let at = 0; at < bytes.length; at += page.length) {
    const part = bytes.subarray(at, at + page.length)
    page.set(part)
    update(part.length)
  }
  return BigInt.asUintN(64, digest()).toString(16).padStart(16, '0')
}
