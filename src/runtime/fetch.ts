/**
 * The bytes of a model from wherever it is: memory, an address, a response that someone else asked for.
 */
import { message, requireKind } from '../base/errors.ts'

/** Everything that is common to all hosts; paths of files are added by the Node entry. */
export type ModelSource = string | URL | Uint8Array | Response

export interface FetchOptions {
  signal?: AbortSignal
  /** Bytes so far, and in all where the server says so. */
  onProgress?: (loaded: number, total: number | undefined) => void
}

/** Reads it to the end. Throws an Error that names the address where it cannot be had, and what an abort throws. */
export async function fetchModel(source: ModelSource, options: FetchOptions = {}): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source
  const known = typeof source === 'string' || source instanceof URL || source instanceof Response
  requireKind(known, 'load', 'source must be an address, bytes or a Response', source)
  const response = source instanceof Response ? source : await fetch(source, { signal: options.signal })
  const where = response.url || String(source)
  if (!response.ok || !response.body) throw new Error(message(where, 'must answer with the model', response.status))
  const total = Number(response.headers.get('content-length')) || undefined
  const parts: Uint8Array[] = []
  let loaded = 0
  const reader = response.body.getReader()
  for (;;) {
    options.signal?.throwIfAborted()
    const { done, value } = await reader.read()
    if (done) break
    parts.push(value)
    options.onProgress?.((loaded += value.length), total)
  }
  const bytes = new Uint8Array(loaded)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
