/**
 * Images cut into square patches, each one row for the patch embedding of a ViT (arXiv 2010.11929). Copies runs of
 * `patch` pixels: bound by memory traffic.
 */
import { bytes, copyRow } from '../lib/lanes'

/** x [B,C,size,size] -> rows [B*side*side,C*patch*patch] in the order (c, y, x), side = size/patch. */
export function patches__f32(xAt: usize, rowsAt: usize, B: i32, C: i32, size: i32, patch: i32): void {
  const side = size / patch
  const line = bytes(size)
  for (let b = 0; b < B; b++) {
    for (let py = 0; py < side; py++) {
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
    xAt += <usize>(C * size) * line
  }
}
