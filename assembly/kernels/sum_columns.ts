/**
 * Sum over rows: the gradient of a bias. Rows are added in order, so every instruction set gives the same bits.
 * Bound by memory traffic.
 */

/** y[N] = sum over m of x[M,N]. */
export function sum_columns__f32(xAt: usize, yAt: usize, M: i32, N: i32): void {
  memory.fill(yAt, 0, (<usize>N) << 2)
  for (let m = 0; m < M; m++) {
    let n = 0
    if (ASC_FEATURE_SIMD) {
      for (; n + 4 <= N; n += 4) {
        const at = yAt + ((<usize>n) << 2)
        v128.store(at, f32x4.add(v128.load(at), v128.load(xAt + ((<usize>n) << 2))))
      }
    }
    for (; n < N; n++) {
      const at = yAt + ((<usize>n) << 2)
      store<f32>(at, load<f32>(at) + load<f32>(xAt + ((<usize>n) << 2)))
    }
    xAt += (<usize>N) << 2
  }
}
