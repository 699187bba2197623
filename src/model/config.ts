/**
 * What a model is: sizes and switches (model.md sections 0, 3, 5, 8). Plain data; presets are the card's `tiny` and
 * the small `nano`. Unknown keys are refused by name.
 */
import { requireKind, requireThat } from '../base/errors.ts'

export type LinearKind = 'ternary' | 'int8' | 'f32'

export interface VisionConfig {
  /** Width, blocks and heads of the tower; the MLP is mlpRatio times as wide. */
  hidden: number
  depth: number
  heads: number
  mlpRatio: number
  /** Pixels per token of the patch embedding; without effect where there is a stem. */
  patch: number
  /** Widths of the convolutional stem; none: patch embedding. */
  stem: number[]
  linear: LinearKind
  /** Type of the 3x3 convolutions of the stem. */
  stemLinear: LinearKind
  /** Image size that the stored position table is for. */
  storedImage: number
}

export interface ModelConfig {
  vocabulary: number
  channels: number
  heads: number
  ffn: number
  textLayers: number
  /** Last blocks of the text encoder that pair with as many on the image side. */
  fusionLayers: number
  decoderLayers: number
  /** Slots of the episodic memory. */
  slots: number
  maxLength: number
  /** Side of the square input image in pixels. */
  image: number
  vision: VisionConfig
  /** What the text feature sees: position 0, or the mean of the real tokens. */
  textPool: 'first' | 'mean'
  /** What the image feature sees: the mean of all tokens, or 4 x 4 cells of patch tokens. */
  imagePool: 'mean' | 'grid'
  /** Whether matching also reads the contrastive features, text times image by channel; the published head does not. */
  matchSimilarity: boolean
  /** False: the float twin, every BitLinear an ordinary linear. */
  ternary: boolean
  /** Put before every caption. GPT-2 gives a first word another id than the same word later. */
  prefix: string
}

const VIT_TINY: VisionConfig = {
  hidden: 128,
  depth: 8,
  heads: 4,
  mlpRatio: 4,
  patch: 14,
  stem: [],
  linear: 'ternary',
  stemLinear: 'ternary',
  storedImage: 224,
}

const VIT_NANO: VisionConfig = {
  ...VIT_TINY,
  depth: 4,
  mlpRatio: 2,
  patch: 16,
  stem: [24, 48, 96, 192],
  stemLinear: 'f32',
  storedImage: 64,
}

/** As published with DINOv2 (arXiv 2304.07193); `linear: 'int8'` rounds their weights to 8 bits a row. */
const DINOV2_SMALL: VisionConfig = {
  ...VIT_TINY,
  hidden: 384,
  depth: 12,
  heads: 6,
  linear: 'f32',
  stemLinear: 'f32',
  storedImage: 518,
}

/** Vision towers by name. */
export const TOWERS = {
  'vit-nano': VIT_NANO,
  'vit-tiny': VIT_TINY,
  'dinov2-small': DINOV2_SMALL,
  'dinov2-base': { ...DINOV2_SMALL, hidden: 768, heads: 12 },
} as const satisfies Record<string, VisionConfig>

export type TowerName = keyof typeof TOWERS

/** The published card. */
const TINY: ModelConfig = {
  vocabulary: 50257,
  channels: 128,
  heads: 4,
  ffn: 256,
  textLayers: 4,
  fusionLayers: 2,
  decoderLayers: 2,
  slots: 32,
  maxLength: 256,
  image: 224,
  vision: VIT_TINY,
  textPool: 'first',
  imagePool: 'mean',
  matchSimilarity: true,
  ternary: true,
  prefix: ' ',
}

export const PRESETS = {
  tiny: TINY,
  nano: { ...TINY, image: 64, vision: VIT_NANO, textPool: 'mean', imagePool: 'grid' } satisfies ModelConfig,
} as const

export type PresetName = keyof typeof PRESETS

/** `vision` is a tower by name, or keys that differ from those of the preset's tower, or of the one that it names. */
type Overrides = Partial<Omit<ModelConfig, 'vision'>> & {
  vision?: TowerName | (Partial<VisionConfig> & { tower?: TowerName })
}

/** A preset with some keys replaced; throws where a key is unknown or a value does not fit. */
export function modelConfig(preset: PresetName, overrides: Overrides = {}): ModelConfig {
  const base: ModelConfig | undefined = PRESETS[preset]
  requireThat(base !== undefined, 'model', `must be one of ${Object.keys(PRESETS).join(', ')}`, preset)
  const { vision = {}, ...rest } = overrides
  requireKnown('model', rest, base)
  const { tower, ...keys } = typeof vision === 'string' ? { tower: vision } : vision
  const known: VisionConfig | undefined = tower === undefined ? base.vision : TOWERS[tower]
  requireThat(known !== undefined, 'model.vision.tower', `must be one of ${Object.keys(TOWERS).join(', ')}`, tower)
  requireKnown('model.vision', keys, known)
  const config = { ...base, ...rest, vision: { ...known, ...keys } }
  checkConfig(config)
  return config
}

/** Throws where two parts of a configuration do not fit together. */
export function checkConfig(config: ModelConfig): void {
  const { channels, heads, vision, image } = config
  requireThat(channels % heads === 0, 'model.heads', `must divide channels ${channels}`, heads)
  requireThat(
    vision.hidden % vision.heads === 0,
    'model.vision.heads',
    `must divide hidden ${vision.hidden}`,
    vision.heads,
  )
  requireThat(
    config.fusionLayers <= config.textLayers,
    'model.fusionLayers',
    'must not exceed textLayers',
    config.fusionLayers,
  )
  requireThat(image % stride(vision) === 0, 'model.image', `must be a multiple of ${stride(vision)} pixels`, image)
  requireThat(
    vision.stem.every((width) => width % 8 === 0),
    'model.vision.stem',
    'widths must be multiples of 8',
    vision.stem,
  )
  const grid = image / stride(vision)
  requireThat(
    config.imagePool !== 'grid' || grid % 4 === 0,
    'model.imagePool',
    'grid needs a multiple of 4 tokens a side',
    grid,
  )
}

/** Pixels per vision token. */
export function stride(vision: VisionConfig): number {
  return vision.stem.length > 0 ? 2 ** vision.stem.length : vision.patch
}

/** Vision tokens without CLS. */
export function patches(config: ModelConfig): number {
  return (config.image / stride(config.vision)) ** 2
}

/** Type of the tower's linears, with the float twin taken into account. */
export function towerLinear({ ternary, vision }: ModelConfig): LinearKind {
  return !ternary && vision.linear === 'ternary' ? 'f32' : vision.linear
}

export function stemLinear({ ternary, vision }: ModelConfig): LinearKind {
  return !ternary && vision.stemLinear === 'ternary' ? 'f32' : vision.stemLinear
}

function requireKnown(where: string, given: object, known: object): void {
  for (const [key, value] of Object.entries(given)) {
    requireThat(key in known, where, `must not have an unknown key; known are ${Object.keys(known).join(', ')}`, key)
    const want = (known as Record<string, unknown>)[key]
    const same = typeof value === typeof want && Array.isArray(value) === Array.isArray(want)
    requireKind(same, `${where}.${key}`, `must be of the kind of ${JSON.stringify(want)}`, value)
  }
}
