/**
 * Which pictures and captions make up a step. Everything follows from (seed, step), so that a resumed run needs only
 * the number of the step. Keys that share a concept are positives of each other; with `pairs` a batch holds two
 * pictures of each concept (SupCon, arXiv 2004.11362).
 */
import { requireThat } from '../base/errors.ts'
import { drawSome, shuffle, Stream, USE } from '../base/rng.ts'

/** What the sampler needs to know of an image. */
export interface Sample {
  captions: readonly string[]
  keywords: readonly string[]
  concept: number
}

export interface BatchOptions {
  seed: number
  /** Even where pictures come in pairs (config.ts). */
  batch: number
  /** Two pictures of each of batch/2 concepts. */
  pairs: boolean
  captionWithKeywords: number
  keywordsAlone: number
  /** Captions of other pictures: the control. */
  shufflePairs: boolean
}

export interface Item {
  /** Index of the picture. */
  picture: number
  caption: string
  /** The first caption of the picture. */
  first: string
  concept: number
}

export class Batches {
  /** Steps in which every concept (or picture) is seen about once. */
  readonly stepsPerEpoch: number
  private readonly samples: readonly Sample[]
  private readonly options: BatchOptions
  /** Indices of pictures, drawn from together: one a concept with `pairs`, one a picture without. */
  private readonly groups: number[][]
  /** With shufflePairs, the picture whose captions each picture gets. */
  private readonly captionsFrom: ArrayLike<number> | null
  private epoch = -1
  private order: ArrayLike<number> = []

  constructor(samples: readonly Sample[], options: BatchOptions) {
    requireThat(samples.length > 0, 'training data', 'must have at least one image')
    this.samples = samples
    this.options = options
    const byConcept = new Map<number, number[]>()
    samples.forEach(({ concept }, i) => {
      const group = byConcept.get(concept)
      if (group) group.push(i)
      else byConcept.set(concept, [i])
    })
    this.groups = options.pairs ? [...byConcept.values()] : samples.map((_, i) => [i])
    this.captionsFrom = options.shufflePairs ? shuffle(samples.length, options.seed, 0, 0, USE.control) : null
    this.stepsPerEpoch = Math.max(1, Math.floor(this.groups.length / this.groupsPerStep))
  }

  private get groupsPerStep(): number {
    return this.options.pairs ? this.options.batch / 2 : this.options.batch
  }

  /** The items of a step; steps count from 1. */
  step(step: number): Item[] {
    const perStep = this.groupsPerStep
    const items: Item[] = []
    for (let g = 0; g < perStep; g++) {
      const at = (step - 1) * perStep + g
      const group = this.groups[this.permuted(at)]
      const stream = new Stream(this.options.seed, step, g, USE.sample)
      for (const picture of this.options.pairs ? twoOf(group, stream) : group) {
        const concept = this.samples[picture].concept
        items.push({
          picture,
          caption: this.caption(picture, stream),
          first: this.captionsOf(picture).captions[0],
          concept,
        })
      }
    }
    return items
  }

  /** Place `at` of the endless sequence of shuffled epochs. */
  private permuted(at: number): number {
    const n = this.groups.length
    const epoch = Math.floor(at / n)
    if (epoch !== this.epoch) {
      this.order = shuffle(n, this.options.seed, epoch, 0, USE.order)
      this.epoch = epoch
    }
    return this.order[at % n]
  }

  /** The sample whose captions a picture gets. */
  private captionsOf(picture: number): Sample {
    return this.samples[this.captionsFrom ? this.captionsFrom[picture] : picture]
  }

  private caption(picture: number, stream: Stream): string {
    const { captions, keywords } = this.captionsOf(picture)
    const caption = captions[stream.below(captions.length)]
    if (keywords.length === 0) return caption
    const { captionWithKeywords, keywordsAlone } = this.options
    const kind = stream.next()
    if (kind >= captionWithKeywords + keywordsAlone) return caption
    const some = drawSome(keywords, 1 + stream.below(3), stream)
    return (kind < captionWithKeywords ? [caption, ...some] : some).join(' ')
  }
}

/** Two different members where there are two, the same one twice otherwise. */
function twoOf(group: readonly number[], stream: Stream): [number, number] {
  const first = stream.below(group.length)
  if (group.length === 1) return [group[0], group[0]]
  const second = stream.below(group.length - 1)
  return [group[first], group[second < first ? second : second + 1]]
}
