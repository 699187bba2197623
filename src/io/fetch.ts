/**
 * Bytes from wherever they are: memory, an address, a response that someone else asked for, a file that someone opened.
 * Everything arrives before anything is used.
 */
import { errorText, message, requireKind, requireThat } from '../base/errors.ts'

/** Everything that is common to all hosts; paths of files are added by the Node entry. */
export type Source = string | URL | Uint8Array | Response
/** A file that its caller has opened and will close: what `open` of node:fs/promises gives. */
export interface OpenFile {
  stat(): Promise<{ size: number }>
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>
}
/**
 * Of a model, also an open file, which is read without a copy, and one that is on its way: what `fetch`, `open` or
 * `readFile` return. Its kernels travel beside it.
 */
export type ModelSource = Source | OpenFile | Promise<Uint8Array | Response | OpenFile>

/** A file whose size is known. */
export interface Incoming {
  bytes: number
  /** Fills memory of that size with it, once; rejects where it cannot. */
  read(into: Uint8Array): Promise<void>
}

export interface FetchOptions {
  signal?: AbortSignal
  /** Bytes so far, and in all where the server says so. */
  onProgress?: (loaded: number, total: number | undefined) => void
}

/** What errors ask of a file. */
export const MUST_READ = 'must be a readable file'
/** What errors call a file that its caller opened. */
const FILE = 'open file'
/** Bytes of a file that are asked for at once: an abort waits for no more. */
const PART = 2 ** 24

/** Reads a source to its end, as `incoming` has it. */
export async function fetchBytes(source: Source, maxBytes: number, options: FetchOptions = {}): Promise<Uint8Array> {
  const file = await incoming(source, maxBytes, options)
  return source instanceof Uint8Array ? source : readWhole(file)
}

/** A file in memory of its own. */
export async function readWhole(file: Incoming): Promise<Uint8Array> {
  const bytes = new Uint8Array(file.bytes)
  await file.read(bytes)
  return bytes
}

/**
 * A source of at most `maxBytes` as far as its size: all of a response has arrived by then. Throws a RangeError above
 * that, a TypeError for what is no source, an Error that names the address where it cannot be had, and the reason of
 * `signal` where that ends it.
 */
export async function incoming(
  source: Source | OpenFile,
  maxBytes: number,
  options: FetchOptions = {},
): Promise<Incoming> {
  options.signal?.throwIfAborted()
  if (source instanceof Uint8Array) {
    requireThat(source.length <= maxBytes, 'load', `must have at most ${maxBytes} bytes`, source.length)
    return { bytes: source.length, read: async (into) => into.set(source) }
  }
  if (isOpenFile(source)) {
    const { size } = await told(FILE, MUST_READ, options.signal, () => source.stat())
    requireThat(size <= maxBytes, FILE, `must have at most ${maxBytes} bytes`, size)
    return { bytes: size, read: (into) => readOpenFile(source, into, FILE, options) }
  }
  const known = typeof source === 'string' || source instanceof URL || source instanceof Response
  requireKind(known, 'load', 'source must be an address, bytes, an open file or a Response', source)
  const { parts, loaded } = await fetchParts(source, maxBytes, options)
  return { bytes: loaded, read: async (into) => join(parts, into) }
}

function isOpenFile(source: unknown): source is OpenFile {
  return typeof (source as OpenFile | undefined)?.read === 'function'
}

/** Reads an open file from its beginning until `into` is full. Its errors name `where`. */
export async function readOpenFile(
  file: OpenFile,
  into: Uint8Array,
  where: string,
  { signal, onProgress }: FetchOptions,
): Promise<void> {
  const { length } = into
  for (let at = 0; at < length;) {
    const part = Math.min(PART, length - at)
    const { bytesRead } = await told(where, MUST_READ, signal, () => file.read(into, at, part, at))
    requireThat(bytesRead > 0, where, `must have ${length} bytes to its end`, at)
    at += bytesRead
    onProgress?.(at, length)
  }
}

/** What `give` gives. Throws an Error that says where and what had to hold, or the reason of `signal`. */
export async function told<T>(
  where: string,
  must: string,
  signal: AbortSignal | undefined,
  give: () => Promise<T>,
): Promise<T> {
  try {
    const given = await give()
    signal?.throwIfAborted()
    return given
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Error(message(where, must, errorText(error)), { cause: error })
  }
}

async function fetchParts(source: string | URL | Response, maxBytes: number, options: FetchOptions) {
  const { signal, onProgress } = options
  const response =
    source instanceof Response
      ? source
      : await told(String(source), 'must be reachable', signal, () => fetch(source, { signal }))
  const where = response.url || (source instanceof Response ? 'response' : String(source))
  if (!response.ok) throw new Error(message(where, 'must answer with the file', response.status))
  if (!response.body || response.bodyUsed) throw new Error(message(where, 'must have a body that nobody has read'))
  // Of a compressed answer the length is not that of what arrives.
  const isPlain = !response.headers.get('content-encoding')
  const total = isPlain ? Number(response.headers.get('content-length')) || undefined : undefined
  const reader = response.body.getReader()
  // A server that falls silent is left at once.
  const stop = () => void reader.cancel(signal?.reason).catch(() => undefined)
  signal?.addEventListener('abort', stop, { once: true })
  const parts: Uint8Array[] = []
  let loaded = 0
  try {
    for (;;) {
      const { done, value } = await told(where, 'must be readable to its end', signal, () => reader.read())
      if (done) break
      parts.push(value)
      loaded += value.length
      requireThat(loaded <= maxBytes, where, `must have at most ${maxBytes} bytes`, total ?? loaded)
      onProgress?.(loaded, total)
    }
  } catch (error) {
    stop()
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
  }
  return { parts, loaded }
}

/**
 * A source when it is there; rejects with the reason of `signal` where that comes first. Nobody needs to be waiting
 * when it fails.
 */
export function arrival(source: ModelSource, signal?: AbortSignal): Promise<Source | OpenFile> {
  const arriving = source instanceof Promise ? untilAbort(source, signal) : Promise.resolve(source)
  arriving.catch(() => undefined)
  return arriving
}

async function untilAbort<T>(awaited: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal?.reason as Error)
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop)
  })
  try {
    return await Promise.race([awaited, aborted])
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

function join(parts: readonly Uint8Array[], into: Uint8Array): void {
  let at = 0
  for (const part of parts) {
    into.set(part, at)
    at += part.length
  }
}
