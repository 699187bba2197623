/**
 * From decoded images to the model's pixels: Pillow's BILINEAR resize, bit for bit, and normalisation. Resampling
 * follows Pillow's Resample.c: columns first, then rows, rounded to 8 bits after each, weights of a triangle that
 * widens with the downscale factor, as 22-bit fixed-point numbers. Plain integer loops: decoding costs more.
 */
import { bytes } from '../lib/lanes'

const PRECISION = 22
const CHANNELS: usize = 3

/** Weights that one output may need: the triangle reaches one output step, at least one pixel, to either side. */
function tapsFor(size: i32, outputs: i32): i32 {
  return <i32>ceil(reach(size, outputs)) * 2 + 1
}

function reach(size: i32, outputs: i32): f64 {
  return max<f64>(<f64>size / <f64>outputs, 1)
}

function triangle(x: f64): f64 {
  return max<f64>(1 - abs(x), 0)
}

/** For each output of an axis: first pixel, number of pixels, then as many weights, padded to `taps`; all i32. */
function weigh(tableAt: usize, size: i32, outputs: i32, taps: i32): void {
  const scale = <f64>size / <f64>outputs
  const support = reach(size, outputs)
  const narrow: f64 = 1 / support
  for (let i = 0; i < outputs; i++) {
    const center = (<f64>i + 0.5) * scale
    const first = max(<i32>(center - support + 0.5), 0)
    const count = min(<i32>(center + support + 0.5), size) - first
    let total: f64 = 0
    for (let k = 0; k < count; k++) total += triangle((<f64>(k + first) - center + 0.5) * narrow)
    store<i32>(tableAt, first)
    store<i32>(tableAt, count, 4)
    for (let k = 0; k < count; k++) {
      const weight = triangle((<f64>(k + first) - center + 0.5) * narrow) / total
      store<i32>(tableAt + bytes(k), <i32>(0.5 + weight * <f64>(1 << PRECISION)), 8)
    }
    tableAt += bytes(taps + 2)
  }
}

/** Weighted sum of `count` bytes, `step` apart. Weights are not negative and sum to 2^22 up to rounding: 32 bits hold it. */
function blend(at: usize, step: usize, weightsAt: usize, count: i32): u8 {
  let sum = 1 << (PRECISION - 1)
  for (let k = 0; k < count; k++) {
    sum += <i32>load<u8>(at) * load<i32>(weightsAt + bytes(k))
    at += step
  }
  return <u8>min(sum >> PRECISION, 255)
}

/**
 * source [height,width,3] u8 -> target [size,size,3] u8. Scratch, at a multiple of 4: the image at [height,size,3], rounded up to 4
 * bytes, then one axis of weights, 4 * size * (taps + 2) bytes (resizeScratchBytes in src/image/resize.ts). Pillow
 * skips an axis that keeps its size; here its weights are 2^22 and 0, which gives the same bytes.
 */
export function resize_bilinear__u8(
  sourceAt: usize,
  targetAt: usize,
  scratchAt: usize,
  width: i32,
  height: i32,
  size: i32,
): void {
  const line = <usize>size * CHANNELS
  const tableAt = (scratchAt + <usize>height * line + 3) & ~3
  let taps = tapsFor(width, size)
  weigh(tableAt, width, size, taps)
  let to = scratchAt
  for (let y = 0; y < height; y++) {
    let row = tableAt
    for (let x = 0; x < size; x++) {
      const at = sourceAt + <usize>load<i32>(row) * CHANNELS
      const count = load<i32>(row, 4)
      for (let c: usize = 0; c < CHANNELS; c++) store<u8>(to + c, blend(at + c, CHANNELS, row + 8, count))
      to += CHANNELS
      row += bytes(taps + 2)
    }
    sourceAt += <usize>width * CHANNELS
  }
  taps = tapsFor(height, size)
  weigh(tableAt, height, size, taps)
  let row = tableAt
  for (let y = 0; y < size; y++) {
    const at = scratchAt + <usize>load<i32>(row) * line
    const count = load<i32>(row, 4)
    for (let i: usize = 0; i < line; i++) store<u8>(targetAt + i, blend(at + i, line, row + 8, count))
    targetAt += line
    row += bytes(taps + 2)
  }
}

/** (v/255 - mean)/std per channel: [size,size,3] u8 -> [3,size,size] f32, the constants of src/image/resize.ts. */
export function normalize_pixels__u8(sourceAt: usize, targetAt: usize, size: i32): void {
  const area = size * size
  normalizePlane(sourceAt, targetAt, area, 0.485, 0.229)
  normalizePlane(sourceAt + 1, targetAt + bytes(area), area, 0.456, 0.224)
  normalizePlane(sourceAt + 2, targetAt + bytes(2 * area), area, 0.406, 0.225)
}

function normalizePlane(sourceAt: usize, targetAt: usize, area: i32, mean: f32, std: f32): void {
  for (let i = 0; i < area; i++) {
    store<f32>(targetAt + bytes(i), (<f32>load<u8>(sourceAt) / 255 - mean) / std)
    sourceAt += CHANNELS
  }
}
