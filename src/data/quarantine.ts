/**
 * What to do about pictures that cannot be read in the middle of a run: name each once in quarantine.jsonl, put the
 * next good picture of the split in its place, and stop when there are too many. Sits between the list of a split and
 * the batches. The replacement depends on the list alone, so a run that is resumed sees the same pictures.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { errorText, message, requireThat } from '../base/errors.ts'

export interface QuarantineOptions<Image extends { id: string | number; path: string }> {
  /** The file of bad pictures; one JSON object a line: id, path, reason. Read first where it exists. */
  file: string
  images: readonly Image[]
  /** Largest share of bad pictures; default .01. */
  maxShare?: number
}

export interface Loaded<T> {
  /** Index of the picture that was loaded: the one asked for, or its replacement. */
  index: number
  value: T
}

export class Quarantine<Image extends { id: string | number; path: string }> {
  readonly #file: string
  readonly #images: readonly Image[]
  readonly #most: number
  readonly #bad = new Set<string>()

  /** Throws an Error naming the line where `file` is malformed. */
  constructor({ file, images, maxShare = 0.01 }: QuarantineOptions<Image>) {
    requireThat(images.length > 0, 'Quarantine', 'images must not be empty')
    this.#file = file
    this.#images = images
    this.#most = maxShare * images.length
    const paths = new Set(images.map((image) => image.path))
    for (const path of readPaths(file)) if (paths.has(path)) this.#bad.add(path)
  }

  /** Number of bad pictures known so far. */
  get size(): number {
    return this.#bad.size
  }

  /**
   * What `load` gives for image `index`, or for the next one that it can read (after the last comes the first).
   * Throws an Error when more than the allowed share is bad; an AbortError passes through and condemns no picture.
   */
  async load<T>(index: number, load: (image: Image) => Promise<T>): Promise<Loaded<T>> {
    const count = this.#images.length
    requireThat(Number.isInteger(index) && index >= 0 && index < count, 'Quarantine', `index must be below ${count}`, index)
    for (let step = 0; step < count; step++) {
      const at = (index + step) % count
      const image = this.#images[at]
      if (this.#bad.has(image.path)) continue
      try {
        return { index: at, value: await load(image) }
      } catch (error) {
        if (error instanceof Error && error.name === 'AbortError') throw error
        this.#add(image, errorText(error))
      }
    }
    throw new Error(message('Quarantine', `${this.#file}: none of ${count} pictures can be read`))
  }

  #add({ id, path }: Image, reason: string): void {
    // Several loads of one bad picture may be under way at once.
    if (this.#bad.has(path)) return
    this.#bad.add(path)
    appendFileSync(this.#file, `${JSON.stringify({ id, path, reason })}\n`)
    if (this.#bad.size <= this.#most) return
    const share = `${this.#bad.size} of ${this.#images.length} pictures cannot be read`
    throw new Error(message('Quarantine', `${share}, listed in ${this.#file}; the last: ${reason}`))
  }
}

/** The paths in a quarantine file; a last line that a crash cut short is removed from it. */
function readPaths(file: string): string[] {
  if (!existsSync(file)) return []
  const text = readFileSync(file, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  if (whole !== text) writeFileSync(file, whole)
  const lines = whole.split('\n').slice(0, -1)
  return lines.map((line, i) => {
    try {
      return String(JSON.parse(line).path)
    } catch (error) {
      throw new Error(message('Quarantine', `${file}: line ${i + 1} must be JSON: ${errorText(error)}`))
    }
  })
}
