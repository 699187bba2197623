/**
 * Golden files: safetensors written by the reference implementation in PyTorch, and the model configuration that
 * their metadata names. Values come from a float64 run on float32 weights.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { requireThat } from '../../src/base/errors.ts'
import { readSafetensors } from '../../src/io/safetensors.ts'
import { checkConfig, type LinearKind, type ModelConfig } from '../../src/model/config.ts'

export type Numbers = ArrayLike<number>

export interface Golden {
  file: string
  /** JSON of the metadata entry `golden`. */
  meta: Record<string, unknown>
  names: string[]
  has(name: string): boolean
  /** Throws where the file lacks the tensor. */
  get(name: string): Numbers
  shape(name: string): number[]
}

export function readGolden(path: string): Golden {
  const { tensors, metadata } = readSafetensors(readFileSync(path))
  const file = basename(path)
  const tensor = (name: string) => {
    const found = tensors.get(name)
    requireThat(found !== undefined, file, `must have a tensor ${name}`)
    return found
  }
  return {
    file,
    meta: JSON.parse(metadata.golden ?? '{}'),
    names: [...tensors.keys()],
    has: (name) => tensors.has(name),
    get: (name) => tensor(name).data as unknown as Numbers,
    shape: (name) => tensor(name).shape,
  }
}

/** Configuration of the reference, by its own names; a switch that a file does not name stands at the default. */
interface ReferenceConfig {
  vocab: number
  channels: number
  heads: number
  ffn: number
  text_layers: number
  fusion_layers: number
  decoder_layers: number
  slots: number
  episode: number
  max_len: number
  queue: number
  image: number
  patch: number
  vision_dim: number
  vision_heads: number
  vision_depth: number
  vision_mlp: number
  vision_linear: LinearKind
  vision_stem: number[]
  /** Empty: as `vision_linear`. */
  vision_stem_linear: LinearKind | ''
  /** 0: as `image`. */
  vision_stored_image: number
  text_pool?: 'first' | 'mean'
  image_pool?: 'mean' | 'grid'
  concepts?: boolean
  image_contrast?: number
  ternary: boolean
}

export interface GoldenModel {
  config: ModelConfig
  concepts: boolean
  imageContrast: number
  episode: number
}

/** The configuration of a golden file; `ternary` false gives its float twin. */
export function goldenModel(golden: Golden, ternary: boolean): GoldenModel {
  const c = golden.meta.config as ReferenceConfig
  const config: ModelConfig = {
    vocabulary: c.vocab,
    channels: c.channels,
    heads: c.heads,
    ffn: c.ffn,
    textLayers: c.text_layers,
    fusionLayers: c.fusion_layers,
    decoderLayers: c.decoder_layers,
    slots: c.slots,
    maxLength: c.max_len,
    image: c.image,
    vision: {
      hidden: c.vision_dim,
      depth: c.vision_depth,
      heads: c.vision_heads,
      mlpRatio: c.vision_mlp,
      patch: c.patch,
      stem: c.vision_stem,
      linear: c.vision_linear,
      stemLinear: c.vision_stem_linear || c.vision_linear,
      storedImage: c.vision_stored_image || c.image,
    },
    textPool: c.text_pool ?? 'first',
    imagePool: c.image_pool ?? 'mean',
    matchSimilarity: false,
    ternary: ternary && c.ternary,
    prefix: '',
  }
  checkConfig(config)
  return { config, concepts: c.concepts ?? false, imageContrast: c.image_contrast ?? 0, episode: c.episode }
}
