/**
 * Ids to text (the way back of tokenizer.ts), also piece by piece while a caption is being written. An id stands for
 * bytes of UTF-8 that may begin or end within a character, so a stream has a decoder of its own: gpt-tokenizer's
 * `decode` shares one, which remembers what an earlier text left unfinished.
 */
import ranks from 'gpt-tokenizer/bpeRanks/r50k_base'
import { requireThat } from '../base/errors.ts'
import { EOS } from './vocabulary.ts'

const UTF8 = new TextEncoder()

/** The bytes of an id; of EOS none. */
function bytesOf(id: number): Uint8Array {
  if (id === EOS) return new Uint8Array()
  const stored = ranks[id]
  requireThat(stored !== undefined, 'text', `ids must be from 0 to ${EOS}`, id)
  // Ids that are no text by themselves are stored as bytes.
  return typeof stored === 'string' ? UTF8.encode(stored) : Uint8Array.from(stored)
}

/** One text that arrives id by id. Bytes that are no UTF-8 become U+FFFD; EOS is skipped. */
export class TextStream {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true })

  /** The characters that this id completes, '' where it ends within the first of them. */
  push(id: number): string {
    return this.decoder.decode(bytesOf(id), { stream: true })
  }

  /** U+FFFD for a character that was left unfinished, else ''. The next text may follow. */
  end(): string {
    return this.decoder.decode()
  }
}

/** The text of ids. */
export function decodeIds(ids: Iterable<number>): string {
  const stream = new TextStream()
  let text = ''
  for (const id of ids) text += stream.push(id)
  return text + stream.end()
}
