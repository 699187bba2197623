/**
 * Negatives for matching from the queue (model.md section 8): what the step drew over batch and queue, turned into rows
 * of the batch and of a few samples behind it that are made again. ALBEF (arXiv 2107.07651) draws from the batch alone.
 */

/**
 * How hard negatives are drawn at a share of the run: 0 up to the first share of `range`, 1 from the second on. Hard ones
 * from the start teach nothing: whoever cannot yet tell any pair apart learns the share of matches, and stays there.
 */
export function hardnessAt([from, to]: readonly [number, number], share: number): number {
  return share >= to ? 1 : Math.max(0, (share - from) / (to - from))
}

/** Samples of the queue that a step makes again at most. */
export function mostExtra(batch: number): number {
  return Math.max(1, Math.floor(batch / 4))
}

export interface GivenNegatives {
  /** [B]: for each image a text, and for each text an image: rows of the batch, from B on of `extra`, or -1. */
  text: number[]
  image: number[]
  /** Numbers of the samples to be made again, in the order of their rows. */
  extra: number[]
}

/**
 * `rows` gives the outputs of drawGraph (train/step.ts) by name, `kept` [Q] are the numbers of the samples of the queue.
 * Draws of the queue beyond `most` different samples fall back on the draw over the batch alone.
 */
export function chooseNegatives(
  rows: (name: string) => readonly number[],
  kept: ArrayLike<number>,
  most: number,
): GivenNegatives {
  const extra = new Map<number, number>()
  const side = (name: string) => {
    const ofBatch = rows(`${name}_rows_batch`)
    const B = ofBatch.length
    return rows(`${name}_rows`).map((row, b) => {
      if (row < B) return row
      const number = kept[row - B]
      if (!extra.has(number) && extra.size < most) extra.set(number, B + extra.size)
      return extra.get(number) ?? ofBatch[b]
    })
  }
  return { text: side('text'), image: side('image'), extra: [...extra.keys()] }
}
