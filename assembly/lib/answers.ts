/**
 * Known answers, as src/runtime/known-answers.ts asks for them: memory filled with draws, and digests of what kernels
 * leave there. In WebAssembly, since an engine at its start takes several times as long over them in JavaScript; an
 * engine that compiles these wrong gives wrong digests too.
 */

const FNV_OFFSET: u32 = 0x811c9dc5
const FNV_PRIME: u32 = 0x01000193

/** What draws are stored as; src/runtime/known-answers.ts has the same numbers. */
const F32 = 0
const I32 = 1
const BYTE = 2
/** Four codes w+1 a byte, of which there are none but 0, 1 and 2. */
const TERNARY = 3

/** Bytes of packed weights: 0 1 2 0, 2 1 1 0, 1 0 2 2, 0 2 0 1 as codes, from the low bits up. */
const FOUR_CODES: u32 = 0x48a11624

/** Weight of the lowest bit of a draw. */
const UNIT: f32 = 1.0 / 16777216

let state: u32 = 1
let hash: u32 = FNV_OFFSET

/** Zeroes the memory of an answer and begins its draws and its digest anew. */
export function startAnswer(at: usize, bytes: usize): void {
  memory.fill(at, 0, bytes)
  state = 1
  hash = FNV_OFFSET
}

/**
 * 24 bits of a linear congruential generator (Numerical Recipes' constants): the upper ones, since the lower are poor.
 */
function draw(): u32 {
  state = state * 1664525 + 1013904223
  return state >> 8
}

/** Stores `count` draws from `low` to `high`: whole numbers, both ends included, for other types than f32. */
export function fillAnswer(at: usize, type: i32, count: i32, low: f32, high: f32): void {
  const span = high - low
  const first = <i32>low
  const values = <u64>(<i32>span + 1)
  for (let i = 0; i < count; i++) {
    const drawn = draw()
    if (type == F32) store<f32>(at + ((<usize>i) << 2), low + span * (<f32>drawn * UNIT))
    else if (type == TERNARY) store<u8>(at + i, FOUR_CODES >> ((drawn & 3) << 3))
    else {
      const value = first + <i32>((values * drawn) >> 24)
      if (type == I32) store<i32>(at + ((<usize>i) << 2), value)
      else if (type == BYTE) store<u8>(at + i, value)
    }
  }
}

/** FNV-1a over all words since startAnswer, with these. */
export function digestAnswer(at: usize, words: i32): u32 {
  for (let i = 0; i < words; i++) hash = (hash ^ load<u32>(at + ((<usize>i) << 2))) * FNV_PRIME
  return hash
}
