/**
 * SHA-256 by the engine itself: what files are checked with wherever they are loaded. Building them, in Node, uses
 * node:crypto. Asynchronous, and absent in pages that were not served over TLS.
 */

/** 64 lower-case hex digits; undefined where the engine has no crypto.subtle. */
export async function sha256(data: Uint8Array): Promise<string | undefined> {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle
  if (!subtle) return undefined
  const digest = await subtle.digest('SHA-256', data as Uint8Array<ArrayBuffer>)
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
