/** Bytes from files too (Node). */
import { open, readFile, stat } from 'node:fs/promises'
import { requireThat } from '../base/errors.ts'
import {
  fetchBytes,
  incoming,
  MUST_READ,
  readOpenFile,
  told,
  type FetchOptions,
  type Incoming,
  type OpenFile,
  type Source,
} from './fetch.ts'

/** File addresses, and strings that begin with no scheme that fetchBytes is given. */
function isPath(source: unknown): source is string | URL {
  if (source instanceof URL) return source.protocol === 'file:'
  return typeof source === 'string' && !/^(https?|data|blob):/i.test(source)
}

function pathOf(source: string | URL): string | URL {
  return typeof source === 'string' && source.startsWith('file:') ? new URL(source) : source
}

/** The bytes of a path, or of what fetchBytes takes. */
export async function readBytes(source: Source, maxBytes: number, options: FetchOptions = {}): Promise<Uint8Array> {
  if (!isPath(source)) return fetchBytes(source, maxBytes, options)
  const path = pathOf(source)
  await sizeOf(path, maxBytes, options)
  return readPath(path, options)
}

/** The file of a path, or of what `incoming` takes. */
export async function incomingFile(
  source: Source | OpenFile,
  maxBytes: number,
  options: FetchOptions = {},
): Promise<Incoming> {
  if (!isPath(source)) return incoming(source, maxBytes, options)
  const path = pathOf(source)
  const bytes = await sizeOf(path, maxBytes, options)
  // A pipe has no size before its end.
  if (bytes === undefined) return incoming(await readPath(path, options), maxBytes)
  return { bytes, read: (into) => readInto(path, into, options) }
}

/** Bytes of a path, if it knows them; throws a RangeError above `maxBytes`. */
async function sizeOf(path: string | URL, maxBytes: number, { signal }: FetchOptions): Promise<number | undefined> {
  signal?.throwIfAborted()
  const about = await told(String(path), MUST_READ, signal, () => stat(path))
  requireThat(about.size <= maxBytes, String(path), `must have at most ${maxBytes} bytes`, about.size)
  return about.isFile() ? about.size : undefined
}

async function readPath(path: string | URL, { signal, onProgress }: FetchOptions): Promise<Uint8Array> {
  const bytes = await told(String(path), MUST_READ, signal, () => readFile(path, { signal }))
  onProgress?.(bytes.length, bytes.length)
  return bytes
}

async function readInto(path: string | URL, into: Uint8Array, options: FetchOptions): Promise<void> {
  const file = await told(String(path), MUST_READ, options.signal, () => open(path))
  try {
    await readOpenFile(file, into, String(path), options)
  } finally {
    await file.close()
  }
}
