/**
 * Bytes from wherever they are: memory, an address, a response that someone else asked for. Everything arrives before
 * anything is used, so memory holds a file twice for a moment.
 */
import { errorText, message, requireKind, requireThat } from '../base/errors.ts'

/** Everything that is common to all hosts; paths of files are added by the Node entry. */
export type Source = string | URL | Uint8Array | Response
/** Of a model, also one that is on its way: what `fetch` or `readFile` return. Its kernels travel beside it. */
export type ModelSource = Source | Promise<Uint8Array | Response>

export interface FetchOptions {
  signal?: AbortSignal
  /** Bytes so far, and in all where the server says so. */
  onProgress?: (loaded: number, total: number | undefined) => void
}

/**
 * Reads a source of at most `maxBytes` to its end. Throws a RangeError above that, a TypeError for what is no source,
 * an Error that names the address where it cannot be had, and the reason of `signal` where that ends it.
 */
export async function fetchBytes(source: Source, maxBytes: number, options: FetchOptions = {}): Promise<Uint8Array> {
  const { signal, onProgress } = options
  signal?.throwIfAborted()
  if (source instanceof Uint8Array) {
    requireThat(source.length <= maxBytes, 'load', `must have at most ${maxBytes} bytes`, source.length)
    return source
  }
  const known = typeof source === 'string' || source instanceof URL || source instanceof Response
  requireKind(known, 'load', 'source must be an address, bytes or a Response', source)
  const response = source instanceof Response ? source : await ask(source, signal)
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
      const { done, value } = await nextPart(reader, where, signal)
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
  return joined(parts, loaded)
}

type Reader = ReadableStreamDefaultReader<Uint8Array>

async function nextPart(reader: Reader, where: string, signal: AbortSignal | undefined) {
  try {
    const part = await reader.read()
    signal?.throwIfAborted()
    return part
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Error(message(where, 'must be readable to its end', errorText(error)), { cause: error })
  }
}

/**
 * A source when it is there; rejects with the reason of `signal` where that comes first. Nobody needs to be waiting
 * when it fails.
 */
export function arrival(source: ModelSource, signal?: AbortSignal): Promise<Source> {
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

async function ask(address: string | URL, signal?: AbortSignal): Promise<Response> {
  try {
    return await fetch(address, { signal })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Error(message(String(address), 'must be reachable', errorText(error)), { cause: error })
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
