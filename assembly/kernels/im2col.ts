/**
 * Convolution as a matrix product (im2col; Chellapilla et al. 2006): one row of taps per output position, and the
 * gradient that adds the rows back. Channels come last, so the taps of one kernel row are one contiguous run; zeros
 * are written at the border only. Padding 1. Moves data and no more: bound by memory traffic.
 */
import { addRow, bytes, copyRow } from '../lib/lanes'
import { endOf, firstOf } from '../lib/threads'

const PAD = 1

/** x [B,size*size,C] -> rows [B,side*side,kernel*kernel*C] in the order (y, x, c), side = size/stride. */
export function im2col__f32(xAt: usize, rowsAt: usize, B: i32, size: i32, C: i32, kernel: i32, stride: i32): void {
  const side = size / stride
  const pixel = bytes(C)
  const run = <usize>kernel * pixel
  const row = <usize>(side * kernel) * run
  const first = firstOf(side)
  const end = endOf(side)
  for (let b = 0; b < B; b++) {
    rowsAt += <usize>first * row
    for (let oy = first; oy < end; oy++) {
      for (let ox = 0; ox < side; ox++) {
        const x = ox * stride - PAD
        const from = max(0, -x)
        const to = min(kernel, size - x)
        for (let ky = 0; ky < kernel; ky++) {
          const y = oy * stride - PAD + ky
          if (y < 0 || y >= size) {
            memory.fill(rowsAt, 0, run)
          } else {
            const inside = xAt + <usize>(y * size + x + from) * pixel
            if (from > 0) memory.fill(rowsAt, 0, <usize>from * pixel)
            copyRow(inside, rowsAt + <usize>from * pixel, (to - from) * C)
            if (to < kernel) memory.fill(rowsAt + <usize>to * pixel, 0, <usize>(kernel - to) * pixel)
          }
          rowsAt += run
        }
      }
    }
    rowsAt += <usize>(side - end) * row
    xAt += <usize>(size * size) * pixel
  }
}

/** dx [B,size*size,C] from drows: every tap adds to its pixel, in the order of the rows. */
export function im2col_grad__f32(
  drowsAt: usize,
  dxAt: usize,
  B: i32,
  size: i32,
  C: i32,
  kernel: i32,
  stride: i32,
): void {
  const side = size / stride
  const pixel = bytes(C)
  const run = <usize>kernel * pixel
  const image = <usize>(size * size) * pixel
  const first = firstOf(B)
  dxAt += <usize>first * image
  drowsAt += <usize>(first * side * side * kernel) * run
  for (let b = first, end = endOf(B); b < end; b++) {
    memory.fill(dxAt, 0, image)
    for (let oy = 0; oy < side; oy++) {
      for (let ox = 0; ox < side; ox++) {
        const x = ox * stride - PAD
        const from = max(0, -x)
        const to = min(kernel, size - x)
        for (let ky = 0; ky < kernel; ky++) {
          const y = oy * stride - PAD + ky
          if (y >= 0 && y < size) {
            addRow(drowsAt + <usize>from * pixel, dxAt + <usize>(y * size + x + from) * pixel, (to - from) * C)
          }
          drowsAt += run
        }
      }
    }
    dxAt += image
  }
}
