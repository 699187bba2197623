/**
 * The model in training: memory laid out from plans, steps, evaluation on the validation images, and everything that a
 * checkpoint holds. What a step does follows from the seed and its number alone, so a resumed run ends in the same
 * bytes. The loop around it is run.ts.
 */
import type { TensorData } from '../base/dtype.ts'
import { exp } from '../base/math.ts'
import { Stream, USE } from '../base/rng.ts'
import { size, type Symbols } from '../base/shape.ts'
import type { Graph, Value } from '../graph/graph.ts'
import type { ModelFile } from '../io/model-file.ts'
import { evaluateRetrieval, type RetrievalFeatures, type RetrievalReport } from '../evaluate/retrieval.ts'
import { patches, type ModelConfig } from '../model/config.ts'
import { encodeImageGraph, encodeTextGraph } from '../model/bitgen.ts'
import { initialValue, parameters } from '../model/init.ts'
import { adamControl } from '../ops/adamw.ts'
import { lower } from '../plan/lower.ts'
import { Executor } from '../runtime/execute.ts'
import type { Kernels } from '../runtime/kernels.ts'
import { VOCABULARY } from '../text/vocabulary.ts'
import { writePixels } from '../runtime/preprocess.ts'
import { augment } from './augment.ts'
import { Batches, type Item } from './batches.ts'
import { centreProjection } from './centre.ts'
import type { TrainConfig } from './config.ts'
import type { TrainData } from './data.ts'
import { feedTexts, type FeedSample } from './feed.ts'
import { valueFromModel } from './init-from.ts'
import { learningRate, weightDecay } from './schedule.ts'
import { meanScores, readScores, type Scores } from './scores.ts'
import { trainGraphs, validateGraph } from './step.ts'
import { TernaryWatch } from './ternary-watch.ts'

/** What a step reports. */
export interface StepReport extends Scores {
  step: number
  /** Norm of the gradient before the clip. */
  norm: number
  rate: number
  temperature: number
  /** The gradient was not finite: nothing was changed. */
  skipped: boolean
}

/** What an evaluation on the validation images reports. */
export interface ValidationReport extends RetrievalReport {
  step: number
  /** Mean of the six recalls, in percent. */
  meanRecall: number
  /** Losses and metrics of the validation set in batches as in training, pictures as they are. */
  scores: Scores
  /** Shares of the ternary weights that are zero, and that changed since the evaluation before. */
  zeros: number
  flips?: number
}

export class Trainer {
  readonly config: TrainConfig
  /** The configuration of the model with the vocabulary of the run. */
  readonly model: ModelConfig
  readonly executor: Executor
  readonly data: TrainData
  /** Forward and backward of a step. */
  private readonly graph: Graph
  private readonly parameters: readonly Value[]
  private readonly batches: Batches
  private readonly ternary: TernaryWatch
  /** Names of the plans of a step, in order. */
  private readonly stepPlans: string[]

  /** Lays out memory and sets the initial values of parameters and states. */
  constructor(kernels: Kernels, config: TrainConfig, data: TrainData) {
    this.config = config
    this.data = data
    this.model = { ...config.model, vocabulary: data.vocabulary }
    this.batches = new Batches(data.samples, { ...config, pairs: config.losses.imageContrast > 0 })
    const graphs = trainGraphs(this.model, config)
    this.stepPlans = graphs.map(({ name }) => name)
    this.graph = graphs[0]
    this.ternary = new TernaryWatch(this.graph)
    const T = Math.min(config.maxTokens, this.model.maxLength)
    const symbols = { B: config.batch, T, R: config.batch * (T - 1) }
    this.executor = new Executor(kernels, [
      ...graphs.map((graph) => lower(graph, { symbols, deterministic: false })),
      // Evaluation computes as the exported model does: in the order that every instruction set shares.
      lower(encodeImageGraph(this.model), { symbols, deterministic: true }),
      lower(encodeTextGraph(this.model), { symbols, deterministic: true }),
      lower(validateGraph(this.model, config), { symbols, deterministic: true }),
    ])
    for (const { name } of this.executor.names('state')) this.executor.tensor(name!).fill(0)
    this.parameters = parameters(this.graph)
    for (const p of this.parameters) this.tensor(p.name!).set(initialValue(p, config.seed))
  }

  private tensor(name: string): Float32Array {
    return this.executor.tensor(name) as Float32Array
  }

  /** Number of parameters. */
  get size(): number {
    return this.parameters.reduce((sum, { shape }) => sum + size(shape), 0)
  }

  /** Every parameter and state, by name: what a checkpoint holds. */
  states(): Map<string, { shape: number[]; data: TensorData }> {
    const entries = this.executor.names('state').map(({ name, shape }) => {
      const sizes = shape as number[]
      return [name!, { shape: sizes, data: this.executor.tensor(name!) }] as const
    })
    return new Map(entries)
  }

  /** Takes the values of all parameters from a model; throws where it lacks one. */
  setParameters(file: ModelFile): void {
    const { seen } = this.data
    const restricted = this.model.vocabulary !== VOCABULARY
    // The shared row has no id: any that is not kept leads to the model's.
    const rows = Array.from({ length: this.model.vocabulary }, (_, row) =>
      restricted ? (seen.id(row) ?? VOCABULARY) : row,
    )
    for (const p of this.parameters) this.tensor(p.name!).set(valueFromModel(file, this.graph, p, rows))
  }

  /** Runs 512 (or as configured) training samples and centres the projections on them. */
  centre(): void {
    const { centring, batch } = this.config
    const texts: Float32Array[] = []
    const images: Float32Array[] = []
    for (let step = 1; texts.length * batch < centring; step++) {
      const items = this.batches.step(step)
      texts.push(
        this.encodeTexts(
          items.map(({ caption }) => caption),
          'text_projection',
        ),
      )
      const pictures = items.map(({ picture }) => this.data.train.pixels(picture))
      images.push(this.encodeImages(pictures, 'image_projection'))
    }
    for (const [side, outputs] of Object.entries({ text: texts, image: images })) {
      const all = Float32Array.from(outputs.flatMap((part) => [...part]))
      const name = `itc.${side}_proj`
      if (all.length > 0) centreProjection(all, this.tensor(`${name}.weight`), this.tensor(`${name}.bias`))
    }
  }

  /** Runs one step; steps count from 1. */
  step(step: number): StepReport {
    const { config, executor } = this
    const rate = learningRate(config, step)
    const [forwardPlan, updatePlan] = [this.stepPlans[0], this.stepPlans.at(-1)!]
    const control = () =>
      executor.io(updatePlan, 'control').set(adamControl({ step, rate, decay: weightDecay(config, step) }))
    const micros = Array.from({ length: config.accumulate }, (_, micro) => {
      const items = this.batches.step((step - 1) * config.accumulate + micro + 1)
      const symbols = this.feed(forwardPlan, items, step, micro)
      if (updatePlan === forwardPlan) control()
      executor.run(forwardPlan, symbols)
      return { scores: this.scores(forwardPlan, symbols), samples: items.length }
    })
    if (updatePlan !== forwardPlan) {
      control()
      executor.run(updatePlan)
    }
    const [norm, factor] = executor.io(updatePlan, 'norm')
    const temperature = exp(this.tensor('itc.log_temperature')[0])
    return { step, ...meanScores(micros), norm, rate, temperature, skipped: Number.isNaN(factor) }
  }

  /** Ids of the images of a step: for reports of a step that went wrong. */
  picturesOf(step: number): (string | number)[] {
    const { accumulate } = this.config
    const micros = Array.from({ length: accumulate }, (_, micro) =>
      this.batches.step((step - 1) * accumulate + micro + 1),
    )
    return micros.flat().map(({ picture }) => this.data.train.images[picture].id)
  }

  /** Writes a training batch into the inputs of a plan. */
  private feed(plan: string, items: readonly Item[], step: number, micro: number): Symbols {
    const { executor, config, model } = this
    const sample = (i: number) => micro * config.batch + i
    const samples = items.map((item, i): FeedSample => {
      const stream = new Stream(config.seed, step, sample(i), USE.match)
      const draws = [stream.next(), stream.next()] as const
      const readsMemory = stream.next() < config.readShare
      const target = config.firstCaption && !readsMemory ? item.first : item.caption
      return { ...item, target, readsMemory, draws }
    })
    const symbols = this.feedTexts(plan, samples)
    items.forEach(({ picture }, i) => {
      const rgb = this.data.train.pixels(picture)
      if (!config.augmentation) return writePixels(executor, plan, rgb, i, symbols)
      const stream = new Stream(config.seed, step, sample(i), USE.augment)
      const length = 3 * model.image ** 2
      const out = executor.io(plan, 'pixels', symbols).subarray(i * length, (i + 1) * length) as Float32Array
      augment(rgb, model.image, config.augmentation, stream, out)
    })
    return symbols
  }

  private feedTexts(plan: string, samples: readonly FeedSample[]): Symbols {
    return feedTexts(this.executor, plan, samples, { encode: this.data.encode, imageKeys: 1 + patches(this.model) })
  }

  /** What the last run of a plan scored. */
  private scores(plan: string, symbols: Symbols): Scores {
    const { executor } = this
    return readScores((name) => (executor.hasIo(plan, name) ? executor.io(plan, name, symbols) : undefined), symbols.B)
  }

  /** Losses and metrics of the validation set: first captions, reconstructed from the image alone. */
  private validate(): Scores {
    const { images, pixels } = this.data.validation
    const concepts = new Map<string | number, number>()
    const samples = images.map(({ captions, concept }, i): FeedSample => {
      if (!concepts.has(concept)) concepts.set(concept, concepts.size)
      const stream = new Stream(this.config.seed, 0, i, USE.match)
      const draws = [stream.next(), stream.next()] as const
      const [caption] = captions
      return { caption, target: caption, concept: concepts.get(concept)!, readsMemory: false, draws }
    })
    const batches = []
    for (let from = 0; from < samples.length; from += this.config.batch) {
      const part = samples.slice(from, from + this.config.batch)
      const symbols = this.feedTexts('validate', part)
      part.forEach((_, i) => writePixels(this.executor, 'validate', pixels(from + i), i, symbols))
      this.executor.run('validate', symbols)
      batches.push({ scores: this.scores('validate', symbols), samples: part.length })
    }
    return meanScores(batches)
  }

  /** Every validation caption and image as the model sees them now, for evaluateRetrieval. */
  validationFeatures(): RetrievalFeatures {
    const { images, pixels } = this.data.validation
    return {
      text: this.encodeTexts(
        images.flatMap(({ captions }) => captions),
        'text_features',
      ),
      image: this.encodeImages(
        images.map((_, i) => pixels(i)),
        'image_features',
      ),
      channels: this.model.channels,
      captionOf: images.flatMap(({ captions }, i) => captions.map(() => i)),
    }
  }

  /** Retrieval on the validation images, and how the ternary weights are. */
  evaluate(step: number): ValidationReport {
    const report = evaluateRetrieval(this.validationFeatures())
    const { t2i, i2t } = report
    const meanRecall = (t2i.r1 + t2i.r5 + t2i.r10 + i2t.r1 + i2t.r5 + i2t.r10) / 6
    return { step, ...report, meanRecall, scores: this.validate(), ...this.ternary.look((name) => this.tensor(name)) }
  }

  private encodeTexts(texts: readonly string[], output: string): Float32Array {
    return this.executor.runInParts('encodeText', output, this.model.channels, texts, (part) => {
      const { ids, lengths, T } = this.data.encode(part)
      const symbols = { B: part.length, T }
      this.executor.io('encodeText', 'ids', symbols).set(ids)
      this.executor.io('encodeText', 'lengths', symbols).set(lengths)
      return symbols
    })
  }

  private encodeImages(pictures: readonly Uint8Array[], output: string): Float32Array {
    return this.executor.runInParts('encodeImage', output, this.model.channels, pictures, (part) => {
      const symbols = { B: part.length }
      part.forEach((rgb, i) => writePixels(this.executor, 'encodeImage', rgb, i, symbols))
      return symbols
    })
  }
}
