/**
 * The f32 products of training (y[M,N] = x[M,K] . w[N,K]^T and its two gradients) and the gradient through packed
 * ternary weights. The second operand is repacked into panels of 8 columns once a call; TN walks M in blocks so that
 * a panel stays in the first-level cache.
 */
import { gemmPanel, gemmTile, gemmTileScalar } from './gemm.ts'

/** Rows of a TN block: a panel of 8 columns takes 32 bytes a row, 8 KiB in all. */
const BLOCK_ROWS = 256
/** Floats of the first operand that are used again from cache by every panel: 128 KiB. */
const CACHED_FLOATS = 32768

/** Source of one module of products; `name` makes the exports from the family. */
export function matmulF32(vector: boolean, madd: boolean, name: (family: string) => string): string {
  const tiles = vector
    ? [6, 3, 1].flatMap((rows) => [gemmTile(rows, 'rows', madd), gemmTile(rows, 'columns', madd)])
    : [gemmTileScalar('rows'), gemmTileScalar('columns')]
  return `
const ZERO = memory.data(32, 16)
const TILE = memory.data(64, 16)
const BIAS = memory.data(32, 16)
${tiles.join('\n')}
${gemmPanel('rows', vector)}
${gemmPanel('columns', vector)}

/** Row-major w[N,K] into panels over N: panel[k][j] = w[n0 + j][k], zeros past N. */
function panels_of_rows(wAt: usize, toAt: usize, K: i32, N: i32): void {
  for (let n0 = 0; n0 < N; n0 += 8) {
    const width = min(8, N - n0)
    for (let j = 0; j < 8; j++) {
      let from = wAt + (<usize>(n0 + j) * <usize>K << 2)
      let to = toAt + (<usize>j << 2)
      const real = j < width
      for (let k = 0; k < K; k++) {
        store<f32>(to, real ? load<f32>(from) : 0)
        from += 4
        to += 32
      }
    }
    toAt += <usize>K << 5
  }
}

/** One panel over columns: panel[r][j] = w[r][k0 + j], zeros past \`width\`. */
function panel_of_columns(wAt: usize, toAt: usize, stride: usize, rows: i32, width: i32): void {
  for (let r = 0; r < rows; r++) {
    if (width == 8) {
      ${vector ? 'v128.store(toAt, v128.load(wAt)); v128.store(toAt, v128.load(wAt, 16), 16)' : 'memory.copy(toAt, wAt, 32)'}
    } else {
      memory.fill(toAt, 0, 32)
      memory.copy(toAt, wAt, <usize>width << 2)
    }
    wAt += stride
    toAt += 32
  }
}

/** a[M,depth] times all panels -> c[M,columns], in blocks of rows that stay in the second-level cache. */
function multiply(aAt: usize, panelsAt: usize, biasAt: usize, cAt: usize, M: i32, depth: i32, columns: i32): void {
  const most = max(1, ${CACHED_FLOATS} / depth / 6) * 6
  for (let m = 0; m < M; m += most) {
    const rows = min(most, M - m)
    let panelAt = panelsAt
    for (let n0 = 0; n0 < columns; n0 += 8) {
      const width = min(8, columns - n0)
      let initAt = ZERO
      if (biasAt) {
        initAt = BIAS
        memory.fill(BIAS, 0, 32)
        memory.copy(BIAS, biasAt + (<usize>n0 << 2), <usize>width << 2)
      }
      panel_rows(aAt, <usize>depth << 2, panelAt, depth, initAt, 0, cAt + (<usize>n0 << 2), <usize>columns << 2, rows, width)
      panelAt += <usize>depth << 5
    }
    aAt += <usize>rows * <usize>depth << 2
    cAt += <usize>rows * <usize>columns << 2
  }
}

/** y[M,N] = x[M,K] . w[N,K]^T + bias[N] (biasAt 0: none); scratch: round8(N)*K f32. */
export function ${name('matmul_nt__f32')}(xAt: usize, wAt: usize, biasAt: usize, yAt: usize, scratchAt: usize, M: i32, K: i32, N: i32): void {
  panels_of_rows(wAt, scratchAt, K, N)
  multiply(xAt, scratchAt, biasAt, yAt, M, K, N)
}

/** dx[M,K] = dy[M,N] . w[N,K]; scratch: round8(K)*N f32. */
export function ${name('matmul_nn__f32')}(dyAt: usize, wAt: usize, dxAt: usize, scratchAt: usize, M: i32, K: i32, N: i32): void {
  for (let k0 = 0; k0 < K; k0 += 8) {
    panel_of_columns(wAt + (<usize>k0 << 2), scratchAt + (<usize>k0 * <usize>N << 2), <usize>K << 2, N, min(8, K - k0))
  }
  multiply(dyAt, scratchAt, 0, dxAt, M, N, K)
}

/** dw[N,K] = dy[M,N]^T . x[M,K], sums in order of m; scratch: ${BLOCK_ROWS * 32} bytes. */
export function ${name('matmul_tn__f32')}(dyAt: usize, xAt: usize, dwAt: usize, scratchAt: usize, M: i32, K: i32, N: i32): void {
  for (let m0 = 0; m0 < M; m0 += ${BLOCK_ROWS}) {
    const rows = min(${BLOCK_ROWS}, M - m0)
    const dyBlock = dyAt + (<usize>m0 * <usize>N << 2)
    for (let k0 = 0; k0 < K; k0 += 8) {
      const width = min(8, K - k0)
      const at = dwAt + (<usize>k0 << 2)
      panel_of_columns(xAt + ((<usize>m0 * <usize>K + <usize>k0) << 2), scratchAt, <usize>K << 2, rows, width)
      panel_columns(dyBlock, <usize>N << 2, scratchAt, rows, m0 ? at : ZERO, m0 ? <usize>K << 2 : 0, at, <usize>K << 2, N, width)
    }
  }
}

/** dx[M,K] = dy[M,N] . (gamma * Wt[N,K]) from packed codes; scratch: round8(K)*N f32. */
export function ${name('matmul_nn__t2')}(dyAt: usize, packedAt: usize, gammaAt: usize, dxAt: usize, scratchAt: usize, M: i32, K: i32, N: i32): void {
  const gamma = load<f32>(gammaAt)
  const blocks = (K + 7) >> 3
  let to = scratchAt
  for (let k0 = 0; k0 < K; k0 += 8) {
    for (let n = 0; n < N; n++) {
      const block = packedAt + (<usize>((n >> 3) * blocks + (k0 >> 3)) << 4)
      const codes = <i32>load<u16>(block + (<usize>(n & 7) << 1))
      for (let j = 0; j < 8; j++) {
        const code = (codes >> (((j & 1) << 3) + ((j >> 1) << 1))) & 3
        store<f32>(to + (<usize>j << 2), gamma * <f32>(code - 1))
      }
      to += 32
    }
  }
  multiply(dyAt, scratchAt, 0, dxAt, M, N, K)
}
`
}
