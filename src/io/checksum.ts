/**
 * The checksum of files: XXH64 with seed 0 (assembly/checks/checksum.ts). Finds damage, not malice. SHA-256 of the engine
 * takes Node 10 ms at first use and is absent in pages without TLS.
 */
import { checksWith } from './checks.ts'

/** Bytes that go through memory at once: they stay in the cache. */
const PART = 65536

/** 16 lower-case hex digits. */
export function checksum(bytes: Uint8Array): string {
  const { memory, reset, update, digest } = checksWith(PART)
  const page = new Uint8Array(memory.buffer, 0, PART)
  reset()
  for (let at = 0; at < bytes.length; at += PART) {
    const part = bytes.subarray(at, at + PART)
    page.set(part)
    update(part.length)
  }
  return BigInt.asUintN(64, digest()).toString(16).padStart(16, '0')
}
