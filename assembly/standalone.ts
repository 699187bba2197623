/**
 * What a host without JavaScript needs beside the plans of a standalone module: memory of its own, pictures as the
 * model takes them, similarity, and the rows of the vocabulary. `./model` is written by codegen/standalone/build.ts.
 */
import { normalize_pixels__u8, resize_bilinear__u8 } from './kernels/resize_image'
import { BATCH, KEPT, KEPT_AT, PIXELS_AT, WORKSPACE_AT, channels, image_size } from './model'

const MAX_PIXELS: i64 = 1 << 26
const PAGE_BITS = 16

/**
 * Address of at least `bytes` bytes behind everything else, the same at every call; memory grows where it must. Traps
 * where the engine gives no more.
 */
export function workspace(bytes: usize): usize {
  const pages = <i32>((WORKSPACE_AT + bytes + (1 << PAGE_BITS) - 1) >>> PAGE_BITS)
  const missing = pages - memory.size()
  if (missing > 0 && memory.grow(missing) < 0) unreachable()
  return WORKSPACE_AT
}

/**
 * Resizes RGB bytes [height,width,3], which lie at workspace(3 * width * height), and writes them as image `index` of
 * encodeImage. Overwrites the workspace behind them. Traps where a side is below 1, there are over 2^26 pixels, or the
 * plan does not take as many images.
 */
export function writePixels(width: i32, height: i32, index: i32): void {
  const known = width > 0 && height > 0 && <i64>width * <i64>height <= MAX_PIXELS && <u32>index < <u32>BATCH
  if (!known) unreachable()
  const taps = ((max(max(width, height), image_size) + image_size - 1) / image_size) * 2 + 1
  const resized: usize = 3 * image_size * image_size
  const toOffset = (<usize>(3 * width * height) + 15) & ~15
  const scratchOffset = (toOffset + resized + 15) & ~15
  const scratch = <usize>((height * image_size * 3 + 3) & ~3) + <usize>(4 * image_size * (taps + 2))
  const at = workspace(scratchOffset + scratch)
  resize_bilinear__u8(at, at + toOffset, at + scratchOffset, width, height, image_size)
  normalize_pixels__u8(at + toOffset, PIXELS_AT + 4 * resized * <usize>index, image_size)
}

/** Cosine of two unit vectors [channels] f32, such as features of a picture and of a text. */
export function similarity(aAt: usize, bAt: usize): f64 {
  let sum: f64 = 0
  for (let c: usize = 0; c < 4 * channels; c += 4) sum += <f64>load<f32>(aAt + c) * <f64>load<f32>(bAt + c)
  return sum
}

/** What encodeText and the decoder call an id of GPT-2; ids that the model does not know share the last row. */
export function vocabularyRow(id: i32): i32 {
  if (KEPT == 0) return id
  let from = 0
  let to = KEPT
  while (from < to) {
    const middle = (from + to) >> 1
    if (load<i32>(KEPT_AT + ((<usize>middle) << 2)) < id) from = middle + 1
    else to = middle
  }
  return from < KEPT && vocabularyId(from) == id ? from : KEPT
}

/** The id of GPT-2 of a row; -1 for the row that many share. */
export function vocabularyId(row: i32): i32 {
  if (KEPT == 0) return row
  return row < KEPT ? load<i32>(KEPT_AT + ((<usize>row) << 2)) : -1
}
