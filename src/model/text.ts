/**
 * The text encoder (model.md section 4): token and position embeddings, pre-norm blocks, bidirectional.
 */
import type { Builder } from '../graph/builder.ts'
import type { Value } from '../graph/graph.ts'
import { addRows } from '../ops/add_rows.ts'
import { embedding } from '../ops/embedding.ts'
import type { ModelConfig } from './config.ts'
import { block, rms } from './layers.ts'
import type { Trace } from './vision.ts'

/** Name of the vocabulary table: its rows are updated only where training has touched them. */
export const TOKEN_TABLE = 'text.token_embedding.weight'

/**
 * ids [B,T] i32, lengths [B] i32 -> states h [B,T,C].
 * `touched` [V] u8 marks the rows that training reaches; none at inference.
 */
export function encodeText(
  b: Builder,
  config: ModelConfig,
  ids: Value,
  lengths: Value,
  touched: Value | null,
  trace?: Trace,
): Value {
  const table = b.parameter(TOKEN_TABLE, [config.vocabulary, config.channels])
  const positions = b.parameter('text.pos_embedding.weight', [config.maxLength, config.channels])
  let x = addRows(b, embedding(b, table, ids, touched), positions)
  for (let i = 0; i < config.textLayers; i++) {
    x = block(b, `text.blocks.${i}`, config, x, lengths)
    trace?.(`unimodal.text.${i}`, x)
  }
  return rms(b, 'text.norm', x)
}
