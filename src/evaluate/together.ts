/**
 * The part of an evaluation that reads picture and text together, one picture after the other: matching, captions and
 * the loss of captions. Pictures come in episodes of a memory, in an order drawn by random numbers as in training, so
 * that an episode is no row of look-alikes. It takes most of the time of an evaluation.
 */
import { shuffle, USE } from '../base/rng.ts'
import type { CaptionedImage } from '../data/coco.ts'
import { decodeImage } from '../image/decode.ts'
import type { Margins } from './pairs.ts'
import type { Progress } from './progress.ts'
import type { Foretold } from './reconstruction.ts'
import type { Subject } from './subject.ts'

/** Pairs that a memory is taught, as in training. */
export const EPISODE = 16
export const BEAMS = 5

/** What a model that can caption makes of a picture; the first of its captions is taught and foretold. */
export interface Reading {
  greedy: string
  beam: string
  foretold: Foretold[]
  /** With what the memory reads; absent where the model has none. */
  recalled?: { caption: string; foretold: Foretold[] }
}

/**
 * Answers every pair that `margins` asks for, and reads every picture if the model can caption, in the order of
 * `entries`. Throws what decodeImage throws.
 */
export async function readTogether(
  subject: Subject,
  entries: readonly Pick<CaptionedImage, 'path' | 'captions'>[],
  captions: readonly string[],
  margins: Margins,
  { seed, progress }: { seed: number; progress: Progress },
): Promise<Reading[]> {
  const readings: Reading[] = []
  const order = shuffle(entries.length, seed, 0, 0, USE.episode)
  const stage = progress('pictures with texts', entries.length)
  for (let from = 0; from < order.length; from += EPISODE) {
    const episode = Array.from(order.subarray(from, from + EPISODE))
    const decoded = await Promise.all(episode.map((i) => decodeImage(entries[i].path)))
    const pairs = episode.map((i, at) => ({ picture: subject.encodeImage(decoded[at]), text: entries[i].captions[0] }))
    const reads = subject.canCaption && subject.canRemember ? subject.recallAll(pairs) : []
    episode.forEach((i, at) => {
      const { picture, text } = pairs[at]
      for (const caption of margins[i].keys()) margins[i].set(caption, subject.margin(picture, captions[caption]))
      if (!subject.canCaption) return
      readings[i] = {
        greedy: subject.caption(picture, null, 1),
        beam: subject.caption(picture, null, BEAMS),
        foretold: subject.foretell(picture, null, text),
      }
      const read = reads[at]
      if (!read) return
      const [caption, foretold] = [subject.caption(picture, read, 1), subject.foretell(picture, read, text)]
      readings[i].recalled = { caption, foretold }
    })
    stage.update(from + episode.length)
  }
  stage.stop()
  return readings
}
