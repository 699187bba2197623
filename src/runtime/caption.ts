/**
 * What `model.caption()` gives: a caption that can be awaited, read piece by piece with `for await`, or both. It is
 * computed once, and only as far as somebody asks. Between ids the event loop runs, so that pages breathe and signals
 * can fire.
 */
import type { Searching, SearchResult } from './search.ts'

/** What was searched, and its text where captions come in characters. */
export type Caption<Piece> = SearchResult & (Piece extends string ? { text: string } : unknown)

/** How a caption is made, and what it is for whoever asked. */
export interface CaptionWork<Piece> {
  /**
   * Called once, at the first demand. The generator holds nothing that must be given back: one that nobody reads to its
   * end is left as it stands.
   */
  start(): Searching | Promise<Searching>
  /** The piece that an id completes, undefined where it completes none. Called once for every id, in order. */
  piece(id: number): Piece | undefined
  /** The piece that is left after the last id. */
  rest?(): Piece | undefined
  caption(result: SearchResult): Caption<Piece>
}

/**
 * Leaving a `for await` early stops the work; awaiting or reading on continues it. Every reader gets all pieces from the
 * first on. Where the work or `signal` fails it, all readers and `await` get the error or the signal's reason. As
 * `await` reads it, an async function cannot return one without waiting for its end.
 */
export class CaptionStream<Piece> implements PromiseLike<Caption<Piece>>, AsyncIterable<Piece> {
  private readonly work: CaptionWork<Piece>
  private readonly signal: AbortSignal | undefined
  private readonly pieces: Piece[] = []
  private searching: Searching | undefined
  /** The step in progress, shared by all who wait. */
  private stepping: Promise<void> | undefined
  private outcome: { caption: Caption<Piece> } | { error: unknown } | undefined

  constructor(work: CaptionWork<Piece>, signal?: AbortSignal) {
    this.work = work
    this.signal = signal
  }

  // Promises begin with the first demand, so one that nobody asked for cannot be rejected unheard.
  then<A = Caption<Piece>, B = never>(
    onCaption?: ((caption: Caption<Piece>) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.finish().then(onCaption, onError)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Piece, void, undefined> {
    for (let at = 0; ; at++) {
      while (at === this.pieces.length && !this.outcome) await this.advance()
      if (at < this.pieces.length) yield this.pieces[at]
      else return void (await this.finish())
    }
  }

  private async finish(): Promise<Caption<Piece>> {
    while (!this.outcome) await this.advance()
    if ('error' in this.outcome) throw this.outcome.error
    return this.outcome.caption
  }

  /** Waits for one more step, whoever began it. Never rejects: failures are an outcome. */
  private advance(): Promise<void> {
    this.stepping ??= this.step().then(
      () => void (this.stepping = undefined),
      (error: unknown) => void (this.outcome = { error }),
    )
    return this.stepping
  }

  private async step(): Promise<void> {
    this.signal?.throwIfAborted()
    if (this.searching) await macrotask()
    else this.searching = await this.work.start()
    this.signal?.throwIfAborted()
    const { value, done } = this.searching.next()
    if (done) {
      this.keep(this.work.rest?.())
      this.outcome = { caption: this.work.caption(value) }
    } else if (value !== null) {
      this.keep(this.work.piece(value))
    }
  }

  private keep(piece: Piece | undefined): void {
    if (piece !== undefined) this.pieces.push(piece)
  }
}

/**
 * Resolves after what waits in the event loop. Browsers make nested timeouts wait 4 ms, a message none; its ports are
 * closed at once, as open ones keep Node from ending.
 */
function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(null)
  })
}
