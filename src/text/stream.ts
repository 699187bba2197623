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

/**
 * One text that arrives id by id, without the prefix that the tokenizer put before it (tokenizer.ts). Bytes that are no
 * UTF-8 become U+FFFD; EOS is skipped.
 */
export class TextStream {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  private readonly prefix: string
  /** The beginning of the text while it may yet become the prefix; undefined once that is settled. */
  private held: string | undefined = ''

  constructor(prefix = '') {
    this.prefix = prefix
  }

  /** The characters that this id completes, '' where it ends within the first of them. */
  push(id: number): string {
    const characters = this.decoder.decode(bytesOf(id), { stream: true })
    if (this.held === undefined) return characters
    this.held += characters
    return this.prefix.startsWith(this.held) && this.held !== this.prefix ? '' : this.release()
  }

  /** What was held back, and U+FFFD for a character that was left unfinished, else ''. The next text may follow. */
  end(): string {
    const rest = this.release() + this.decoder.decode()
    this.held = ''
    return rest
  }

  private release(): string {
    const { held = '', prefix } = this
    this.held = undefined
    return held.startsWith(prefix) ? held.slice(prefix.length) : held
  }
}

/** The text of ids, without the prefix. */
export function decodeIds(ids: Iterable<number>, prefix = ''): string {
  const stream = new TextStream(prefix)
  let text = ''
  for (const id of ids) text += stream.push(id)
  return text + stream.end()
}
