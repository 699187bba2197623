/**
 * The model in training: memory laid out from plans, steps, evaluation on the validation images, and everything that a
 * checkpoint holds. What a step does follows from the seed and its number alone, so a resumed run ends in the same
 * bytes. The loop around it is run.ts.
 */
import type { TensorData } from '../base/dtype.ts'
import { requireThat } from '../base/errors.ts'
import { exp } from '../base/math.ts'
import { size } from '../base/shape.ts'
import type { Graph, Value } from '../graph/graph.ts'
import type { ModelFile } from '../io/model-file.ts'
import type { Container } from '../io/safetensors.ts'
import { evaluateRetrieval, type RetrievalReport } from '../evaluate/retrieval.ts'
import type { ModelConfig } from '../model/config.ts'
import { encodeImageGraph, encodeTextGraph } from '../model/bitgen.ts'
import { initialValue, parameters } from '../model/init.ts'
import { adamControl } from '../ops/adamw.ts'
import { lower } from '../plan/lower.ts'
import { Executor } from '../runtime/execute.ts'
import type { Kernels } from '../runtime/kernels.ts'
import { VOCABULARY } from '../text/vocabulary.ts'
import { Batches } from './batches.ts'
import { centreProjection } from './centre.ts'
import type { TrainConfig } from './config.ts'
import type { TrainData } from './data.ts'
import { Feeder } from './feeder.ts'
import { valueFromCheckpoint, valueFromModel } from './init-from.ts'
import { mostExtra } from './negatives.ts'
import { joinedRate, learningRate, weightDecay } from './schedule.ts'
import { meanScores, scoresOf, type Scores } from './scores.ts'
import { drawGraph, stagesOf, trainGraphs, validateGraph, type StepOptions } from './step.ts'
import { TernaryWatch } from './ternary-watch.ts'
import { cachesTower, encodeTowerGraph, TowerCache } from './tower-cache.ts'
import { readTowerWeights } from './tower-weights.ts'
import { Validation } from './validation.ts'

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
  readonly validation: Validation
  /** The graph with every parameter, as a checkpoint and a model file have them. */
  private readonly graph: Graph
  private readonly parameters: readonly Value[]
  private readonly batches: Batches
  private readonly feeder: Feeder
  private readonly ternary: TernaryWatch
  /** Names of the plans of a step, in order, by stage; the last stage is that of all losses. */
  private readonly stages: string[][]
  /** The last step before it. */
  private readonly joined: number

  /** Lays out memory and sets the initial values of parameters and states. */
  constructor(kernels: Kernels, config: TrainConfig, data: TrainData) {
    this.config = config
    this.data = data
    const model = { ...config.model, vocabulary: data.vocabulary }
    this.model = model
    this.batches = new Batches(data.samples, { ...config, pairs: config.losses.imageContrast > 0 })
    const options: StepOptions = { ...config, cachedTower: cachesTower(config) }
    const stages = stagesOf(config.losses, config.joinAt).map((stage) => trainGraphs(model, options, stage))
    this.stages = stages.map((graphs) => graphs.map(({ name }) => name))
    this.joined = Math.floor(config.joinAt * config.steps)
    const [whole] = stages.at(-1)!
    const validate = validateGraph(model, options)
    // That of a step lacks a tower whose outputs are cached.
    this.graph = options.cachedTower ? validate : whole
    this.ternary = new TernaryWatch(whole)
    const T = Math.min(config.maxTokens, model.maxLength)
    const X = mostExtra(config.batch)
    const symbols = { B: config.batch, T, R: config.batch * (T - 1), X, S: config.batch + X }
    const training = [...stages.flat(), ...(config.negatives === 'queue' ? [drawGraph(model, options)] : [])]
    // Evaluation computes as the exported model does: in the order that every instruction set shares.
    const tower = options.cachedTower ? [encodeTowerGraph(model)] : []
    const evaluation = [encodeImageGraph(model), encodeTextGraph(model), validate, ...tower]
    this.executor = new Executor(kernels, [
      ...training.map((graph) => lower(graph, { symbols, deterministic: false })),
      ...evaluation.map((graph) => lower(graph, { symbols, deterministic: true })),
    ])
    for (const { name } of this.executor.names('state')) this.executor.tensor(name!).fill(0)
    this.parameters = parameters(this.graph)
    for (const start of config.freeze) {
      const freezes = this.parameters.some(({ name }) => name!.startsWith(start))
      requireThat(freezes, 'config: freeze', 'must be beginnings of names of parameters', start)
    }
    for (const p of this.parameters) this.tensor(p.name!).set(initialValue(p, config.seed))
    const { executor, batches } = this
    const cache = options.cachedTower ? new TowerCache(executor, model, data.train) : null
    this.feeder = new Feeder({ executor, config, model, data, batches, tower: cache })
    this.validation = new Validation(executor, model, data, config.seed)
  }

  private tensor(name: string): Float32Array {
    return this.executor.tensor(name) as Float32Array
  }

  /** Number of parameters. */
  get size(): number {
    return this.parameters.reduce((sum, { shape }) => sum + size(shape), 0)
  }

  /** Steps in which every picture, or concept, is seen about once. */
  get stepsPerEpoch(): number {
    return Math.max(1, Math.round(this.batches.stepsPerEpoch / this.config.accumulate))
  }

  /** Every parameter and state, by name: what a checkpoint holds. */
  states(): Map<string, { shape: number[]; data: TensorData }> {
    const entries = this.executor.names('state').map(({ name, shape }) => {
      const sizes = shape as number[]
      return [name!, { shape: sizes, data: this.executor.tensor(name!) }] as const
    })
    return new Map(entries)
  }

  /**
   * Takes the values of all parameters from a model. Throws where the encoders lack one; returns the names of others that
   * it lacks, since it was trained without what uses them: these keep their initial values.
   */
  setParameters(file: ModelFile): string[] {
    const rows = this.tableIds()
    return this.setWhatIsThere('init model', (p) => valueFromModel(file, this.graph, p, rows))
  }

  /** The same from a checkpoint. */
  setFromCheckpoint(checkpoint: Container): string[] {
    const rows = this.tableIds()
    return this.setWhatIsThere('init checkpoint', (p) => valueFromCheckpoint(checkpoint, p, rows))
  }

  /** The id of each row of the vocabulary table. The shared row has none: one that is not kept leads to another's. */
  private tableIds(): number[] {
    const { seen } = this.data
    const restricted = this.model.vocabulary !== VOCABULARY
    return Array.from({ length: this.model.vocabulary }, (_, row) => (restricted ? (seen.id(row) ?? VOCABULARY) : row))
  }

  private setWhatIsThere(where: string, valueOf: (p: Value) => Float32Array | undefined): string[] {
    const encoders = [encodeImageGraph(this.model), encodeTextGraph(this.model)].flatMap(parameters)
    const needed = new Set(encoders.map(({ name }) => name))
    return this.parameters.flatMap((p) => {
      const value = valueOf(p)
      if (value) this.tensor(p.name!).set(value)
      else requireThat(!needed.has(p.name), where, `must have the parameter ${p.name}`)
      return value ? [] : [p.name!]
    })
  }

  /** Takes the vision tower from the file that the configuration names, if it does. */
  setTower(): void {
    const { towerWeights } = this.config
    if (towerWeights === undefined) return
    for (const [name, value] of readTowerWeights(towerWeights, this.parameters)) this.tensor(name).set(value)
  }

  /** Runs 512 (or as configured) training samples and centres the projections on them. */
  centre(): void {
    const { centring, batch } = this.config
    const texts: Float32Array[] = []
    const images: Float32Array[] = []
    for (let step = 1; texts.length * batch < centring; step++) {
      const items = this.batches.step(step)
      const captions = items.map(({ caption }) => caption)
      const pictures = items.map(({ picture }) => this.data.train.pixels(picture))
      texts.push(this.validation.encodeTexts(captions, 'text_projection'))
      images.push(this.validation.encodeImages(pictures, 'image_projection'))
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
    const plans = step > this.joined ? this.stages.at(-1)! : this.stages[0]
    const [forwardPlan, updatePlan] = [plans[0], plans.at(-1)!]
    const rate = learningRate(config, step)
    const decay = weightDecay(config, step)
    const control = () => {
      executor.io(updatePlan, 'control').set(adamControl({ step, rate, decay }))
      if (!executor.hasIo(updatePlan, 'joined_control')) return
      const late = { step: step - this.joined, rate: joinedRate(config, step, this.joined), decay }
      executor.io(updatePlan, 'joined_control').set(adamControl(late))
    }
    const micros = this.microBatches(step).map((micro) => {
      const symbols = this.feeder.feed(forwardPlan, micro)
      if (updatePlan === forwardPlan) control()
      executor.run(forwardPlan, symbols)
      return { scores: scoresOf(executor, forwardPlan, symbols), samples: symbols.B }
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
    const items = this.microBatches(step).flatMap((micro) => this.batches.step(micro))
    return items.map(({ picture }) => this.data.train.images[picture].id)
  }

  /** Numbers of the micro-batches of a step, which count on over all steps. */
  private microBatches(step: number): number[] {
    const { accumulate } = this.config
    return Array.from({ length: accumulate }, (_, micro) => (step - 1) * accumulate + micro + 1)
  }

  /** Retrieval, losses and metrics on the validation images, and how the ternary weights are. */
  evaluate(step: number): ValidationReport {
    const report = evaluateRetrieval(this.validation.features())
    const { t2i, i2t } = report
    const meanRecall = (t2i.r1 + t2i.r5 + t2i.r10 + i2t.r1 + i2t.r5 + i2t.r10) / 6
    const scores = this.validation.scores()
    return { step, ...report, meanRecall, scores, ...this.ternary.look((name) => this.tensor(name)) }
  }
}
