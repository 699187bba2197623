/**
 * The configuration of a training run: a JSON file whose paths are relative to it. What has no default: name, model,
 * data, output, steps. Unknown keys are refused by name.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import * as v from 'valibot'
import { attempt, errorText, message, requireThat } from '../base/errors.ts'
import { modelConfig, PRESETS, type ModelConfig, type PresetName } from '../model/config.ts'
import type { LossWeights } from '../model/objective.ts'
import { namedSchedule, SCHEDULES, type ScheduleName } from './schedule.ts'

const whole = (least: number) => v.pipe(v.number(), v.integer(), v.minValue(least))
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1))
const positive = v.pipe(v.number(), v.gtValue(0))
const notNegative = v.pipe(v.number(), v.minValue(0))
const range = v.pipe(
  v.tuple([v.number(), v.number()]),
  v.check(([low, high]) => low <= high, 'must be [low, high]'),
)
const positiveRange = v.pipe(
  range,
  v.check(([low]) => low > 0, 'must be above 0'),
)
/** What random numbers take (base/rng.ts). */
const seed = v.pipe(whole(0), v.maxValue(2 ** 32 - 1))

/** Random changes of a training picture; see augment.ts. */
export interface Augmentation {
  /** Factor on the picture's size. */
  size: [low: number, high: number]
  /** Largest turn either way, radians. */
  rotation: number
  /** Largest shift along each axis, as a share of the side. */
  shift: number
  saturation: [low: number, high: number]
  /** Standard deviation of the mixing of channels, and the share of pictures that get it. */
  mixing: number
  mixingShare: number
  /** Factor on the distance from white. */
  contrast: [low: number, high: number]
}

/** A checked configuration: every default in place, every path absolute. */
export interface TrainConfig {
  name: string
  model: ModelConfig
  data: {
    images: string
    train: string
    /** For early stopping and tuning; its images must not be in `train`. Without it, a share of `train` is held back. */
    validation?: string
    /** That share, of images. */
    validationShare: number
    /** Digest and attributions of the data, carried into the model file. */
    manifest?: string
  }
  /** Where checkpoints, metrics.jsonl and the report go. */
  output: string
  seed: number
  steps: number
  /** Samples of a step are batch x accumulate. */
  batch: number
  accumulate: number
  /** Where the five numbers behind it come from, unless the configuration has its own. */
  schedule: ScheduleName
  rate: number
  warmup: number
  floor: number
  weightDecay: number
  decayUntil: number
  clip: number
  /** Positives are all keys of the same concept (data with a `concept`). */
  concepts: boolean
  /**
   * What each loss counts for; 0 leaves it out. With image against image a batch holds two pictures of each concept.
   */
  losses: LossWeights
  /**
   * Share of the steps after which matching, text and memory join the contrast: what they read is then worth reading,
   * and until then a step costs half.
   */
  joinAt: number
  /** Share of the targets of text reconstruction that is spread over the vocabulary. */
  labelSmoothing: number
  /** Codes of an episode of the memory, and the share of samples whose text is reconstructed with what it reads. */
  episode: number
  readShare: number
  /** Where a text is reconstructed from the image alone: by the picture's first caption, not by the one drawn. */
  firstCaption: boolean
  /** Safetensors of a published `Dinov2Model` that the vision tower starts from. */
  towerWeights?: string
  /**
   * Beginnings of the names of parameters that stay as they are, such as `vision.`. With the whole tower and without
   * augmentation, what it makes of a picture is computed once.
   */
  freeze: string[]
  /** Keys of earlier batches to contrast with; 0: none. */
  queue: number
  /** Where pairs that do not match come from: the batch, or the queue too, whose samples are then made again. */
  negatives: 'batch' | 'queue'
  /** Shares of the steps between which negatives turn from any to as hard as the contrast finds them; [0, 0]: at once. */
  hardness: [from: number, to: number]
  /** Shares of captions with keywords behind them, and of keywords alone; only for images that have keywords. */
  captionWithKeywords: number
  keywordsAlone: number
  /** Longest caption in tokens, BOS and EOS included. */
  maxTokens: number
  /** `seen`: the vocabulary table has rows for the ids of the training texts and one for all others. */
  vocabulary: 'full' | 'seen'
  /** Samples that the projections are centred on before step 1; 0: none. */
  centring: number
  /** `null` leaves pictures as they are. */
  augmentation: Augmentation | null
  /** The control: pairs images with captions of other images. */
  shufflePairs: boolean
  /** Steps from evaluation to evaluation; `epoch`: each picture, or concept, seen about once. */
  evaluateEvery: number | 'epoch'
  checkpointEvery: number
  /** Evaluations without a better validation recall before training stops, from the end of warmup on; 0: never. */
  patience: number
}

const augmentation = v.nullable(
  v.strictObject({
    size: v.optional(positiveRange, [0.75, 1.15]),
    rotation: v.optional(notNegative, 0.2),
    shift: v.optional(share, 0.0625),
    saturation: v.optional(range, [0, 1.2]),
    mixing: v.optional(notNegative, 0.25),
    mixingShare: v.optional(share, 0.5),
    contrast: v.optional(range, [0.7, 1.3]),
  }),
)

const schema = v.strictObject({
  name: v.pipe(v.string(), v.regex(/^[\w.-]+$/, 'must be letters, digits, dots and dashes')),
  model: v.looseObject({ preset: v.picklist(Object.keys(PRESETS) as PresetName[]) }),
  data: v.strictObject({
    images: v.string(),
    train: v.string(),
    validation: v.optional(v.string()),
    validationShare: v.optional(v.pipe(v.number(), v.gtValue(0), v.ltValue(1)), 0.05),
    manifest: v.optional(v.string()),
  }),
  output: v.string(),
  seed: v.optional(seed, 0),
  steps: whole(1),
  batch: v.optional(whole(2), 128),
  accumulate: v.optional(whole(1), 2),
  schedule: v.optional(v.picklist(Object.keys(SCHEDULES) as ScheduleName[]), 'card'),
  rate: v.optional(positive),
  warmup: v.optional(whole(0)),
  floor: v.optional(share),
  weightDecay: v.optional(notNegative),
  decayUntil: v.optional(share),
  clip: v.optional(positive, 1),
  concepts: v.optional(v.boolean(), false),
  losses: v.optional(
    v.strictObject({
      itc: v.optional(positive, 1),
      itm: v.optional(notNegative, 0.5),
      text: v.optional(notNegative, 0.5),
      memory: v.optional(notNegative, 0.1),
      imageContrast: v.optional(notNegative, 0),
    }),
    {},
  ),
  joinAt: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0),
  labelSmoothing: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0.1),
  episode: v.optional(whole(1), 16),
  readShare: v.optional(share, 0.5),
  firstCaption: v.optional(v.boolean(), false),
  towerWeights: v.optional(v.string()),
  freeze: v.optional(v.array(v.pipe(v.string(), v.nonEmpty())), []),
  queue: v.optional(whole(0), 4096),
  negatives: v.optional(v.picklist(['batch', 'queue']), 'batch'),
  hardness: v.optional(range, [0, 0]),
  captionWithKeywords: v.optional(share, 0.25),
  keywordsAlone: v.optional(share, 0.15),
  maxTokens: v.optional(whole(3), 64),
  vocabulary: v.optional(v.picklist(['full', 'seen']), 'full'),
  centring: v.optional(whole(0), 512),
  augmentation: v.optional(augmentation, {}),
  shufflePairs: v.optional(v.boolean(), false),
  evaluateEvery: v.optional(v.union([whole(1), v.literal('epoch')]), 'epoch'),
  checkpointEvery: v.optional(whole(1), 100),
  patience: v.optional(whole(0), 5),
})

/** Checks a parsed configuration; paths are taken relative to `folder`. Throws a TypeError that names the key. */
export function trainConfig(input: unknown, folder: string, where = 'config'): TrainConfig {
  const parsed = v.safeParse(schema, input)
  if (!parsed.success) {
    const problems = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'top level'}: ${issue.message}`)
    throw new TypeError(message(where, problems.join('; ')))
  }
  const { model, data, output, towerWeights, ...rest } = parsed.output
  const { batch, negatives, queue, losses } = rest
  const fromQueue = negatives === 'queue'
  requireThat(
    !fromQueue || (queue > 0 && losses.itm > 0),
    `${where}: negatives`,
    'of the queue need a queue and losses.itm',
  )
  const isPaired = losses.imageContrast === 0 || batch % 2 === 0
  requireThat(isPaired, `${where}: batch`, 'must be even where losses.imageContrast takes pictures in pairs', batch)
  const at = (path: string) => resolve(folder, path)
  const ifGiven = (path: string | undefined) => (path === undefined ? undefined : at(path))
  return {
    ...namedSchedule(rest.schedule, rest.steps),
    ...rest,
    towerWeights: ifGiven(towerWeights),
    model: modelOf(where, model),
    data: {
      images: at(data.images),
      train: at(data.train),
      validation: ifGiven(data.validation),
      validationShare: data.validationShare,
      manifest: ifGiven(data.manifest),
    },
    output: at(output),
  }
}

/** Reads a configuration file. */
export function readTrainConfig(path: string): TrainConfig {
  const input: unknown = attempt(path, 'must be a readable JSON file', () => JSON.parse(readFileSync(path, 'utf8')))
  return trainConfig(input, dirname(path), path)
}

/** Its keys are checked by who knows them, who does not know the file. */
function modelOf(where: string, { preset, ...overrides }: { preset: PresetName }): ModelConfig {
  try {
    return modelConfig(preset, overrides)
  } catch (error) {
    throw new RangeError(`${where}: ${errorText(error)}`, { cause: error })
  }
}
