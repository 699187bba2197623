/**
 * Small f32 products c[rows,columns] = a[rows,depth] . b[depth,columns] on strided operands in place (the heads of
 * attention; large products are codegen/templates/gemm.ts). Every element is one sum over depth in order: tiles at an
 * edge overlap their neighbours, computing some elements twice with the same bits. Without vectors, one at a time.
 */
import { bytes } from './lanes'

/**
 * a steps by `aRow` bytes a row and `aDepth` bytes a depth; rows of b (contiguous) are `bRow`, of c `cRow` bytes apart.
 * c must not overlap a or b.
 */
export function product(aAt: usize, aRow: usize, aDepth: usize, bAt: usize, bRow: usize, cAt: usize, cRow: usize, rows: i32, columns: i32, depth: i32): void {
  if (ASC_FEATURE_SIMD && columns >= 4) {
    const height = rows >= 4 ? 4 : 1
    for (let r = 0; r < rows; r += height) {
      const first = <usize>min(r, rows - height)
      const a = aAt + first * aRow
      const c = cAt + first * cRow
      let j = 0
      if (height == 4) {
        for (; j + 8 <= columns; j += 8) tile4x8(a, aRow, aDepth, bAt + bytes(j), bRow, c + bytes(j), cRow, depth)
      }
      for (; j < columns; j += 4) {
        const at = bytes(min(j, columns - 4))
        if (height == 4) tile4x4(a, aRow, aDepth, bAt + at, bRow, c + at, cRow, depth)
        else tile1x4(a, aDepth, bAt + at, bRow, c + at, depth)
      }
    }
  } else {
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < columns; j++) {
        let a = aAt
        let b = bAt + bytes(j)
        let sum: f32 = 0
        for (let d = 0; d < depth; d++) {
          sum += load<f32>(a) * load<f32>(b)
          a += aDepth
          b += bRow
        }
        store<f32>(cAt + bytes(j), sum)
      }
      aAt += aRow
      cAt += cRow
    }
  }
}

function tile4x8(aAt: usize, aRow: usize, aDepth: usize, bAt: usize, bRow: usize, cAt: usize, cRow: usize, depth: i32): void {
  const zero = f32x4.splat(0)
  let p0 = zero, p1 = zero, p2 = zero, p3 = zero
  let q0 = zero, q1 = zero, q2 = zero, q3 = zero
  let a1 = aAt + aRow, a2 = aAt + 2 * aRow, a3 = aAt + 3 * aRow
  for (let d = 0; d < depth; d++) {
    const b0 = v128.load(bAt), b1 = v128.load(bAt, 16)
    let a = v128.load32_splat(aAt)
    p0 = f32x4.add(p0, f32x4.mul(a, b0))
    q0 = f32x4.add(q0, f32x4.mul(a, b1))
    a = v128.load32_splat(a1)
    p1 = f32x4.add(p1, f32x4.mul(a, b0))
    q1 = f32x4.add(q1, f32x4.mul(a, b1))
    a = v128.load32_splat(a2)
    p2 = f32x4.add(p2, f32x4.mul(a, b0))
    q2 = f32x4.add(q2, f32x4.mul(a, b1))
    a = v128.load32_splat(a3)
    p3 = f32x4.add(p3, f32x4.mul(a, b0))
    q3 = f32x4.add(q3, f32x4.mul(a, b1))
    aAt += aDepth
    a1 += aDepth
    a2 += aDepth
    a3 += aDepth
    bAt += bRow
  }
  v128.store(cAt, p0)
  v128.store(cAt, q0, 16)
  cAt += cRow
  v128.store(cAt, p1)
  v128.store(cAt, q1, 16)
  cAt += cRow
  v128.store(cAt, p2)
  v128.store(cAt, q2, 16)
  cAt += cRow
  v128.store(cAt, p3)
  v128.store(cAt, q3, 16)
}

function tile4x4(aAt: usize, aRow: usize, aDepth: usize, bAt: usize, bRow: usize, cAt: usize, cRow: usize, depth: i32): void {
  const zero = f32x4.splat(0)
  let p0 = zero, p1 = zero, p2 = zero, p3 = zero
  let a1 = aAt + aRow, a2 = aAt + 2 * aRow, a3 = aAt + 3 * aRow
  for (let d = 0; d < depth; d++) {
    const b = v128.load(bAt)
    p0 = f32x4.add(p0, f32x4.mul(v128.load32_splat(aAt), b))
    p1 = f32x4.add(p1, f32x4.mul(v128.load32_splat(a1), b))
    p2 = f32x4.add(p2, f32x4.mul(v128.load32_splat(a2), b))
    p3 = f32x4.add(p3, f32x4.mul(v128.load32_splat(a3), b))
    aAt += aDepth
    a1 += aDepth
    a2 += aDepth
    a3 += aDepth
    bAt += bRow
  }
  v128.store(cAt, p0)
  v128.store(cAt + cRow, p1)
  v128.store(cAt + 2 * cRow, p2)
  v128.store(cAt + 3 * cRow, p3)
}

function tile1x4(aAt: usize, aDepth: usize, bAt: usize, bRow: usize, cAt: usize, depth: i32): void {
  let sum = f32x4.splat(0)
  for (let d = 0; d < depth; d++) {
    sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(aAt), v128.load(bAt)))
    aAt += aDepth
    bAt += bRow
  }
  v128.store(cAt, sum)
}
