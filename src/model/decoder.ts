/**
 * The decoder (model.md section 7): causal self-attention, cross-attention to the image states and one slot that holds
 * what the memory read. `decode` runs whole texts in training; `decodeToken` is the same blocks one token at
 * a time, with the keys and values of earlier tokens as inputs: a step has no state of its own.
 */
import type { Builder } from '../graph/builder.ts'
import type { Value } from '../graph/graph.ts'
import { add } from '../ops/add.ts'
import { addRows } from '../ops/add_rows.ts'
import { addSamples } from '../ops/add_samples.ts'
import { concat } from '../ops/concat.ts'
import { embedding } from '../ops/embedding.ts'
import { reshape } from '../ops/reshape.ts'
import { takeRows } from '../ops/take_rows.ts'
import type { ModelConfig } from './config.ts'
import { attend, feedForward, keysAndValues, linear, rms, type KeysAndValues } from './layers.ts'
import { positionTable, tokenTable } from './text.ts'
import type { Trace } from './vision.ts'

const blockName = (i: number) => `decoder.blocks.${i}`

/** What the memory read for each sample, z_r [B,C], projected and added to every token: x [B,T,C] -> [B,T,C]. */
function addRead(b: Builder, { channels }: ModelConfig, x: Value, read: Value): Value {
  return addSamples(b, x, linear(b, 'decoder.mem_embed', 'f32', read, channels, false))
}

/** x [B,T,C] -> [B,T,C] by one block. */
function decoderBlock(
  b: Builder,
  i: number,
  config: ModelConfig,
  x: Value,
  own: (h: Value) => Value,
  image: KeysAndValues,
): Value {
  const name = blockName(i)
  x = add(b, x, own(rms(b, `${name}.norm1`, x)))
  x = add(b, x, attend(b, `${name}.cross`, config, rms(b, `${name}.norm2`, x), image))
  return add(b, x, feedForward(b, `${name}.ffn`, config, rms(b, `${name}.norm3`, x)))
}

/** Keys and values that each block reads of the image: those of w [B,1+P,C] and of the slot, which comes last. */
export function imageKeys(b: Builder, config: ModelConfig, w: Value, read: Value, visible: Value): KeysAndValues[] {
  const { channels, decoderLayers } = config
  const slot = linear(b, 'decoder.slot', 'f32', read, channels, false)
  const seen = concat(b, w, reshape(b, slot, [read.shape[0], 1, channels]))
  return Array.from({ length: decoderLayers }, (_, i) => {
    const name = blockName(i)
    return keysAndValues(b, `${name}.cross`, config, rms(b, `${name}.norm_kv`, seen), visible)
  })
}

/**
 * Whole texts, each token from those before it.
 * x [B,T,C] embedded ids; w [B,1+P,C] unimodal image states; read [B,C] what the memory read, 0 where it is not used;
 * visible [B] i32: 2+P where it is used, 1+P where not -> states [B,T,C], whose products with the token table are logits.
 */
export function decode(
  b: Builder,
  config: ModelConfig,
  x: Value,
  w: Value,
  read: Value,
  visible: Value,
  trace?: Trace,
): Value {
  x = addRead(b, config, x, read)
  imageKeys(b, config, w, read, visible).forEach((image, i) => {
    const name = `${blockName(i)}.attn`
    const own = (h: Value) => attend(b, name, config, h, keysAndValues(b, name, config, h, null), true)
    x = decoderBlock(b, i, config, x, own, image)
    trace?.(`decoder.${i}`, x)
  })
  return rms(b, 'decoder.norm', x)
}

/** Keys and values [B,L,C] of the tokens so far, by block; `length` is the symbol of L+1. */
export interface Past {
  blocks: readonly Omit<KeysAndValues, 'lengths'>[]
  length: string
}

/**
 * One token of texts of equal length.
 * ids [B,1] i32, position [1] i32 (how many tokens came before), read [B,C]; image from imageKeys; past: none for the
 * first token -> states [B,1,C] and the token's own keys and values [B,1,C] by block.
 */
export function decodeToken(
  b: Builder,
  config: ModelConfig,
  { ids, position, read }: { ids: Value; position: Value; read: Value },
  image: readonly KeysAndValues[],
  past: Past | null,
): { states: Value; added: Past['blocks'] } {
  const table = positionTable(b, config)
  let x = addRows(b, embedding(b, tokenTable(b, config), ids), takeRows(b, table, position))
  x = addRead(b, config, x, read)
  const added = image.map((seen, i) => {
    const name = `${blockName(i)}.attn`
    let mine: KeysAndValues
    const own = (h: Value) => {
      mine = keysAndValues(b, name, config, h, null)
      return attend(b, name, config, h, past ? behind(b, past.blocks[i], mine, past.length) : mine)
    }
    x = decoderBlock(b, i, config, x, own, seen)
    return mine!
  })
  return { states: rms(b, 'decoder.norm', x), added }
}

/** Keys and values of the tokens so far with those of one more behind them. */
function behind(b: Builder, past: Past['blocks'][number], mine: KeysAndValues, length: string): KeysAndValues {
  const both = (part: 'keys' | 'values') => concat(b, past[part], mine[part], length)
  return { keys: both('keys'), values: both('values'), lengths: null }
}
