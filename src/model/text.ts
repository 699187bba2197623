/**
 * The text encoder (model.md section 4): token and position embeddings, pre-norm blocks, bidirectional. Its last blocks
 * are those that fusion.ts may pair with the image; what comes before them is the same in both modes.
 */
import type { Builder } from '../graph/builder.ts'
import type { Value } from '../graph/graph.ts'
import { addRows } from '../ops/add_rows.ts'
import { embedding } from '../ops/embedding.ts'
import type { ModelConfig } from './config.ts'
import { block, rms, type States } from './layers.ts'
import type { Trace } from './vision.ts'

/** Name of the vocabulary table: its rows are updated only where training has touched them. */
export const TOKEN_TABLE = 'text.token_embedding.weight'

/** The vocabulary table [V,C]: rows of tokens, and (tied) the head of the decoder. */
export function tokenTable(b: Builder, config: ModelConfig): Value {
  return b.parameter(TOKEN_TABLE, [config.vocabulary, config.channels])
}

/** The table of positions [maxLength,C]. */
export function positionTable(b: Builder, config: ModelConfig): Value {
  return b.parameter('text.pos_embedding.weight', [config.maxLength, config.channels])
}

/**
 * ids [B,T] i32 -> token and position embeddings [B,T,C].
 * `touched` [V] u8 marks the rows that training reaches; none at inference.
 */
export function embedText(b: Builder, config: ModelConfig, ids: Value, touched: Value | null): Value {
  return addRows(b, embedding(b, tokenTable(b, config), ids, touched), positionTable(b, config))
}

/** Index of the first text block that can be fused. */
export function firstFused({ textLayers, fusionLayers }: ModelConfig): number {
  return textLayers - fusionLayers
}

/** Embedded text -> states [B,T,C] before the blocks that can be fused. */
export function encodePrefix(b: Builder, config: ModelConfig, text: States, trace?: Trace): States {
  return unimodalBlocks(b, config, text, 0, firstFused(config), trace)
}

/** States before the blocks that can be fused -> unimodal text states h [B,T,C]. */
export function encodeText(b: Builder, config: ModelConfig, prefix: States, trace?: Trace): Value {
  const { x } = unimodalBlocks(b, config, prefix, firstFused(config), config.textLayers, trace)
  return rms(b, 'text.norm', x)
}

function unimodalBlocks(
  b: Builder,
  config: ModelConfig,
  { x, lengths }: States,
  from: number,
  to: number,
  trace?: Trace,
): States {
  for (let i = from; i < to; i++) {
    x = block(b, `text.blocks.${i}`, config, { x, lengths })
    trace?.(`unimodal.text.${i}`, x)
  }
  return { x, lengths }
}
