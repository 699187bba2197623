/**
 * Writes training batches into the inputs of plans (train/step.ts): texts, pictures changed at random or what a frozen
 * tower made of them, and with negatives of the queue the pairs that do not match, samples made again among them. All
 * of it follows from the seed and the numbers of the samples, which count on over the whole run.
 */
import { Stream, USE } from '../base/rng.ts'
import type { Symbols } from '../base/shape.ts'
import { patches, type ModelConfig } from '../model/config.ts'
import type { Executor } from '../runtime/execute.ts'
import { writePixels } from '../runtime/preprocess.ts'
import { augment } from './augment.ts'
import type { Batches, Item } from './batches.ts'
import type { TrainConfig } from './config.ts'
import type { TrainData } from './data.ts'
import { feedTexts, writeInputs, type FeedSample } from './feed.ts'
import { chooseNegatives, hardnessAt, mostExtra } from './negatives.ts'
import { DRAW_PLAN } from './step.ts'
import type { TowerCache } from './tower-cache.ts'

/** A sample of the run: its item, and its number from 0 on. */
interface Numbered {
  item: Item
  number: number
}

export interface FeederParts {
  executor: Executor
  config: TrainConfig
  model: ModelConfig
  data: TrainData
  batches: Batches
  /** Null where plans take pixels. */
  tower: TowerCache | null
}

export class Feeder {
  private readonly parts: FeederParts

  constructor(parts: FeederParts) {
    this.parts = parts
  }

  /** Writes micro-batch `micro` (from 1 on, over all steps) into a plan of a step; answers the symbols to run with. */
  feed(plan: string, micro: number): Symbols {
    const { executor, config, batches } = this.parts
    const first = (micro - 1) * config.batch
    const samples = batches.step(micro).map((item, i): Numbered => ({ item, number: first + i }))
    // A stage without matching takes none.
    const takesNegatives = executor.hasIo(plan, 'negative_text')
    if (config.negatives === 'batch' || !takesNegatives) return this.write(plan, samples)
    const drawn = this.write(DRAW_PLAN, samples)
    executor.run(DRAW_PLAN, drawn)
    const rows = (name: string) => Array.from(executor.io(DRAW_PLAN, name, drawn))
    const { text, image, extra } = chooseNegatives(rows, executor.tensor('queue.samples'), mostExtra(config.batch))
    // A plan has at least one row of everything: where nothing is made again, the first sample stands there unused.
    const again = (extra.length > 0 ? extra : [first]).map((number) => this.sampleOf(number))
    const symbols = this.write(plan, samples, again)
    writeInputs(executor, plan, symbols, { negative_text: text, negative_image: image })
    return symbols
  }

  /** The sample of a number, caption, augmentation and all. */
  private sampleOf(number: number): Numbered {
    const { config, batches } = this.parts
    const micro = Math.floor(number / config.batch) + 1
    return { item: batches.step(micro)[number % config.batch], number }
  }

  private write(plan: string, samples: readonly Numbered[], again: readonly Numbered[] = []): Symbols {
    const { executor, data, model } = this.parts
    const hardness = this.hardness(samples[0].number)
    const options = { encode: data.encode, imageKeys: 1 + patches(model), hardness }
    // The tower of missing pictures runs in memory that inputs share: before they are written.
    const pictures = this.picturesOf([...samples, ...again])
    const captions = again.map(({ item }) => item.caption)
    const symbols = feedTexts(
      executor,
      plan,
      samples.map((sample) => this.feedSample(sample)),
      options,
      captions,
    )
    samples.forEach((sample, i) => this.writePicture(plan, '', sample, pictures[i], i, symbols))
    again.forEach((sample, i) => this.writePicture(plan, 'extra_', sample, pictures[samples.length + i], i, symbols))
    return symbols
  }

  private hardness(number: number): number {
    const { hardness, steps, batch, accumulate } = this.parts.config
    return hardnessAt(hardness, number / (batch * accumulate * steps))
  }

  private feedSample({ item, number }: Numbered): FeedSample {
    const { config } = this.parts
    const stream = this.stream(number, USE.match)
    const draws = [stream.next(), stream.next()] as const
    const readsMemory = stream.next() < config.readShare
    const target = config.firstCaption && !readsMemory ? item.first : item.caption
    return { caption: item.caption, concept: item.concept, target, readsMemory, draws, number }
  }

  private stream(number: number, use: number): Stream {
    const { seed, batch, accumulate } = this.parts.config
    const perStep = batch * accumulate
    return new Stream(seed, Math.floor(number / perStep) + 1, number % perStep, use)
  }

  /** What a frozen tower makes of the pictures; nulls where plans take pixels. */
  private picturesOf(samples: readonly Numbered[]): readonly (Float32Array | null)[] {
    const { tower } = this.parts
    return tower ? tower.outputs(samples.map(({ item }) => item.picture)) : samples.map(() => null)
  }

  /** Writes row `i` of the input `pixels` or `tower` of a plan. */
  private writePicture(
    plan: string,
    prefix: string,
    { item, number }: Numbered,
    output: Float32Array | null,
    i: number,
    symbols: Symbols,
  ): void {
    const { executor, config, model, data } = this.parts
    if (output) return void executor.io(plan, `${prefix}tower`, symbols).set(output, i * output.length)
    const rgb = data.train.pixels(item.picture)
    if (!config.augmentation) return writePixels(executor, plan, rgb, i, symbols, `${prefix}pixels`)
    const length = 3 * model.image ** 2
    const out = executor.io(plan, `${prefix}pixels`, symbols).subarray(i * length, (i + 1) * length) as Float32Array
    augment(rgb, model.image, config.augmentation, this.stream(number, USE.augment), out)
  }
}
