/** Bytes from files too (Node). */
import { readFile, stat } from 'node:fs/promises'
import { errorText, message, requireThat } from '../base/errors.ts'
import { fetchBytes, type FetchOptions, type Source } from './fetch.ts'

/** File addresses, and strings that begin with no scheme that fetchBytes is given. */
function isPath(source: unknown): source is string | URL {
  if (source instanceof URL) return source.protocol === 'file:'
  return typeof source === 'string' && !/^(https?|data|blob):/i.test(source)
}

/** The bytes of a path, or of what fetchBytes takes. */
export async function readBytes(source: Source, maxBytes: number, options: FetchOptions = {}): Promise<Uint8Array> {
  if (!isPath(source)) return fetchBytes(source, maxBytes, options)
  const { signal, onProgress } = options
  signal?.throwIfAborted()
  const path = typeof source === 'string' && source.startsWith('file:') ? new URL(source) : source
  const bytes = await readWhole(path, maxBytes, signal)
  onProgress?.(bytes.length, bytes.length)
  return bytes
}

async function readWhole(path: string | URL, maxBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  try {
    const { size } = await stat(path)
    requireThat(size <= maxBytes, String(path), `must have at most ${maxBytes} bytes`, size)
    return await readFile(path, { signal })
  } catch (error) {
    if (signal?.aborted || error instanceof RangeError) throw error
    throw new Error(message(String(path), 'must be a readable file', errorText(error)), { cause: error })
  }
}
