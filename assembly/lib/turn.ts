/** Transposition of a matrix of f32, four by four; without vectors one by one. Bound by its strided stores. */
import { bytes } from './lanes'

/** turned[D,n] = x[n,D]^T, rows of x `row` bytes apart. */
export function turn(xAt: usize, row: usize, n: i32, D: i32, turnedAt: usize): void {
  const step = bytes(n)
  let j = 0
  if (ASC_FEATURE_SIMD) {
    for (; j + 4 <= n; j += 4) {
      let d = 0
      for (; d + 4 <= D; d += 4) turnBlock(xAt + bytes(d), row, turnedAt + <usize>d * step + bytes(j), step)
      for (; d < D; d++) {
        for (let r = 0; r < 4; r++) {
          store<f32>(turnedAt + <usize>d * step + bytes(j + r), load<f32>(xAt + <usize>r * row + bytes(d)))
        }
      }
      xAt += 4 * row
    }
  }
  for (; j < n; j++) {
    for (let d = 0; d < D; d++) store<f32>(turnedAt + <usize>d * step + bytes(j), load<f32>(xAt + bytes(d)))
    xAt += row
  }
}

function turnBlock(from: usize, fromRow: usize, to: usize, toRow: usize): void {
  const r0 = v128.load(from),
    r1 = v128.load(from + fromRow)
  const r2 = v128.load(from + 2 * fromRow),
    r3 = v128.load(from + 3 * fromRow)
  const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
  const b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
  const c = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
  const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
  v128.store(to, v128.shuffle<f32>(a, b, 0, 1, 4, 5))
  v128.store(to + toRow, v128.shuffle<f32>(a, b, 2, 3, 6, 7))
  v128.store(to + 2 * toRow, v128.shuffle<f32>(c, d, 0, 1, 4, 5))
  v128.store(to + 3 * toRow, v128.shuffle<f32>(c, d, 2, 3, 6, 7))
}
