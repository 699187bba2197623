/**
 * Images cut into square patches, each one row for the patch embedding of a ViT (arXiv 2010.11929). Copies runs of
 * `patch` pixels: bound by memory traffic.
 */
import { bytes, copyRow } from '../lib/lanes'
import { endOf, firstOf } from '../lib/threads'

/** x [B,C,size,size] -> rows [B*side*side,C*patch*patch] in the order (c, y, x), side = size/patch. */
export function patches__f32(xAt: usize, rowsAt: usize, B: i32, C: i32, size: i32, patch: i32): void {
  const side = size / patch
  const line = bytes(size)
  const first = firstOf(side)
  const end = endOf(side)
  const row = bytes(C * patch * patch)
  for (let b = 0; b < B; b++) {
    rowsAt += <usize>(first * side) * row
    for (let py = first; py < end; py++) {
      for (let px = 0; px < side; px++) {
        for (let c = 0; c < C; c++) {
          let at = xAt + <usize>(c * size + py * patch) * line + bytes(px * patch)
          for (let y = 0; y < patch; y++) {
            copyRow(at, rowsAt, patch)
            at += line
            rowsAt += bytes(patch)
          }
        }
      }
    }
    rowsAt += <usize>((side - end) * side) * row
    xAt += <usize>(C * size) * line
  }
}
