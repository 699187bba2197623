/**
 * What to do about pictures that cannot be read in the middle of a run: name each once in quarantine.jsonl, put the
 * next good picture of the split in its place, and stop when there are too many. Sits between the list of a split and
 * the batches. The replacement depends on the list alone, so a run that is resumed sees the same pictures.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorText, message, requireThat } from '../base/errors.ts'

/** What is named of a bad picture; an entry of readCaptions fits. */
interface ImageFile {
  id: string | number
  path: string
}

export class Quarantine {
  readonly #file: string
  readonly #total: number
  readonly #maxShare: number
  readonly #bad: Set<string>

  /**
   * `file`: one JSON object a line (id, path, reason); what it lists already is not tried again. `total`: pictures of
   * all splits together, of which `maxShare` may be bad. Throws an Error naming the line where `file` is malformed, or
   * the file where it lists more than that already.
   */
  constructor(file: string, total: number, maxShare = 0.01) {
    requireThat(total > 0, 'Quarantine', 'total must be above 0', total)
    this.#file = file
    this.#total = total
    this.#maxShare = maxShare
    this.#bad = new Set(readPaths(file))
    this.#requireFew('remove it to try them again')
  }

  /** Number of bad pictures known so far. */
  get size(): number {
    return this.#bad.size
  }

  /**
   * What `load` gives for `images[index]`, or for the next image that it can read (after the last comes the first).
   * Throws an Error when more than the allowed share is bad; an AbortError passes through and condemns no picture.
   */
  async read<Image extends ImageFile, T>(
    images: readonly Image[],
    index: number,
    load: (image: Image) => Promise<T>,
  ): Promise<T> {
    const count = images.length
    requireThat(
      Number.isInteger(index) && index >= 0 && index < count,
      'Quarantine',
      `index must be below ${count}`,
      index,
    )
    for (let step = 0; step < count; step++) {
      const image = images[(index + step) % count]
      if (this.#bad.has(image.path)) continue
      try {
        return await load(image)
      } catch (error) {
        if (error instanceof Error && error.name === 'AbortError') throw error
        this.#add(image, errorText(error))
      }
    }
    throw new Error(message('Quarantine', `none of ${count} pictures can be read, see ${this.#file}`))
  }

  #add({ id, path }: ImageFile, reason: string): void {
    // Several loads of one bad picture may be under way at once.
    if (this.#bad.has(path)) return
    this.#bad.add(path)
    mkdirSync(dirname(this.#file), { recursive: true })
    appendFileSync(this.#file, `${JSON.stringify({ id, path, reason })}\n`)
    this.#requireFew(`the last: ${reason}`)
  }

  #requireFew(hint: string): void {
    if (this.#bad.size <= this.#maxShare * this.#total) return
    const share = `${this.#bad.size} of ${this.#total} pictures cannot be read`
    throw new Error(message('Quarantine', `${share}, see ${this.#file}; ${hint}`))
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
