/**
 * The gradient of the input of a ternary linear, straight from the packed codes. Part of matmul_f32.ts, whose panels these
 * fill.
 */

const UNPACK_SCALAR = `
/** gamma * w of the 8 inputs of one row of a block. */
function unpack(codesAt: usize, gamma: f32, toAt: usize): void {
  const codes = <i32>load<u16>(codesAt)
  for (let j = 0; j < 8; j++) {
    const code = (codes >> (((j & 1) << 3) + ((j >> 1) << 1))) & 3
    store<f32>(toAt + (<usize>j << 2), gamma * <f32>(code - 1))
  }
}`

/** Lane j keeps the two bits of input j where they lie: 0 there is w = -1, the upper bit is w = 1. */
const UNPACK_VECTOR = `
const FIELDS = memory.data<u16>([0x3, 0x300, 0xc, 0xc00, 0x30, 0x3000, 0xc0, 0xc000], 16)
const UPPER = memory.data<u16>([0x2, 0x200, 0x8, 0x800, 0x20, 0x2000, 0x80, 0x8000], 16)

/** gamma * w of the 8 inputs of one row of a block. */
function unpack(codesAt: usize, gamma: f32, toAt: usize): void {
  const fields = v128.and(v128.load16_splat(codesAt), v128.load(FIELDS))
  const w = i16x8.sub(i16x8.eq(fields, i16x8.splat(0)), i16x8.eq(fields, v128.load(UPPER)))
  const g = f32x4.splat(gamma)
  v128.store(toAt, f32x4.mul(g, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(w))))
  v128.store(toAt, f32x4.mul(g, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(w))), 16)
}`

/** Source of the family; `vector` is false for scalar modules. */
export function ternaryGradient(vector: boolean, name: (family: string) => string): string {
  return `
${vector ? UNPACK_VECTOR : UNPACK_SCALAR}

/** Packed Wt[N,K] into panels over K: panel[n][j] = gamma * Wt[n][k0 + j]; those of the group. */
function panels_of_ternary(packedAt: usize, gamma: f32, toAt: usize, K: i32, N: i32): void {
  const blocks = (K + 7) >> 3
  for (let k0 = first; k0 < end; k0 += 8) {
    for (let n = 0; n < N; n++) {
      unpack(packedAt + (<usize>((n >> 3) * blocks + (k0 >> 3)) << 4) + (<usize>(n & 7) << 1), gamma, toAt)
      toAt += 32
    }
  }
}

/** dx[M,K] = dy[M,N] . (gamma * Wt[N,K]) from packed codes; scratch: a group of panels. */
export function ${name('matmul_nn__t2')}(dyAt: usize, packedAt: usize, gammaAt: usize, dxAt: usize, scratchAt: usize, M: i32, K: i32, N: i32): void {
  const gamma = load<f32>(gammaAt)
  split(M, K, 8)
  while (next_group(N)) {
    if (is_new(K)) panels_of_ternary(packedAt, gamma, scratchAt, K, N)
    multiply(dyAt, scratchAt, 0, dxAt, N, K)
  }
}
`
}
