/**
 * Norms of rows (model.md sections 3, 4): RMSNorm (arXiv 1910.07467), LayerNorm (arXiv 1607.06450), l2, each with its
 * gradient. A row stays in L1 while it is walked two or three times. Gradients of gains are sums over blocks of rows, which
 * threads share; the sum over blocks is another kernel's.
 */
import { axpy, bytes, dot, scaleRow, sum, sumSquares, sumSquaresAbout } from '../lib/lanes'
import { endOf, firstOf, scratch } from '../lib/threads'

/** The sum of four partial sums, as lanes.ts combines them. */
function total(at: usize): f32 {
  return load<f32>(at) + load<f32>(at, 4) + (load<f32>(at, 8) + load<f32>(at, 12))
}

/** Adds `value` to the partial sum of the element at byte offset `i` of its row: element i adds to lane i % 4. */
function addPartial(at: usize, i: usize, value: f32): void {
  const lane = at + (i & 12)
  store<f32>(lane, load<f32>(lane) + value)
}

/** y[M,K] = x * inverse * gain, inverse[M] = 1 / sqrt(mean(x^2) + eps). No gain: 0. */
export function rms_norm__f32(xAt: usize, gainAt: usize, yAt: usize, inverseAt: usize, M: i32, K: i32, eps: f32): void {
  const row = bytes(K)
  const whole = bytes(K & ~3)
  const first = firstOf(M)
  xAt += <usize>first * row
  yAt += <usize>first * row
  for (let m = first, end = endOf(M); m < end; m++) {
    const inverse: f32 = 1 / sqrt<f32>(sumSquares(xAt, K) / <f32>K + eps)
    store<f32>(inverseAt + bytes(m), inverse)
    if (gainAt) {
      let i: usize = 0
      if (ASC_FEATURE_SIMD) {
        const s = f32x4.splat(inverse)
        for (; i < whole; i += 16) {
          v128.store(yAt + i, f32x4.mul(f32x4.mul(v128.load(xAt + i), s), v128.load(gainAt + i)))
        }
      }
      for (; i < row; i += 4) store<f32>(yAt + i, load<f32>(xAt + i) * inverse * load<f32>(gainAt + i))
    } else scaleRow(inverse, xAt, yAt, K)
    xAt += row
    yAt += row
  }
}

/** First of `M` rows that are in a block. Blocks times rows stay below 2^32. */
function blockAt(block: i32, blocks: i32, M: i32): i32 {
  return <i32>((<u32>M * <u32>block) / <u32>blocks)
}

/**
 * dx = inverse * (dy*gain - x * inverse^2 * mean(dy*gain*x)), dgains[blocks,K] = sums of dy * x * inverse over the rows of
 * each block. No gain: both 0.
 */
export function rms_norm_grad__f32(
  dyAt: usize,
  xAt: usize,
  gainAt: usize,
  inverseAt: usize,
  dxAt: usize,
  dgainsAt: usize,
  M: i32,
  K: i32,
  blocks: i32,
): void {
  const row = bytes(K)
  const first = firstOf(blocks)
  const skipped = <usize>blockAt(first, blocks, M)
  dyAt += skipped * row
  xAt += skipped * row
  dxAt += skipped * row
  for (let block = first, last = endOf(blocks); block < last; block++) {
    const dgainAt = dgainsAt + <usize>block * row
    if (gainAt) memory.fill(dgainAt, 0, row)
    for (let m = blockAt(block, blocks, M), end = blockAt(block + 1, blocks, M); m < end; m++) {
      const inverse = load<f32>(inverseAt + bytes(m))
      const dotted = gainAt ? gainDot(dyAt, xAt, gainAt, K) : dot(dyAt, xAt, K)
      const along: f32 = inverse * inverse * inverse * (dotted / <f32>K)
      if (gainAt) scaleBy(inverse, gainAt, dyAt, dxAt, K)
      else scaleRow(inverse, dyAt, dxAt, K)
      axpy(-along, xAt, dxAt, K)
      if (gainAt) addScaledProduct(inverse, dyAt, xAt, dgainAt, K)
      dyAt += row
      xAt += row
      dxAt += row
    }
  }
}

/** Sum of dy*x*gain. */
function gainDot(dyAt: usize, xAt: usize, gainAt: usize, K: i32): f32 {
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    let sum = f32x4.splat(0)
    for (const whole = bytes(K & ~3); i < whole; i += 16) {
      const t = f32x4.mul(v128.load(dyAt + i), v128.load(xAt + i))
      sum = f32x4.add(sum, f32x4.mul(t, v128.load(gainAt + i)))
    }
    v128.store(scratch, sum)
  } else memory.fill(scratch, 0, 16)
  for (const end = bytes(K); i < end; i += 4) {
    const t = load<f32>(dyAt + i) * load<f32>(xAt + i)
    addPartial(scratch, i, t * load<f32>(gainAt + i))
  }
  return total(scratch)
}

/** y += a * b * scale. */
function addScaledProduct(scale: f32, aAt: usize, bAt: usize, yAt: usize, n: i32): void {
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    const s = f32x4.splat(scale)
    for (const whole = bytes(n & ~3); i < whole; i += 16) {
      const t = f32x4.mul(v128.load(aAt + i), v128.load(bAt + i))
      v128.store(yAt + i, f32x4.add(v128.load(yAt + i), f32x4.mul(t, s)))
    }
  }
  for (const end = bytes(n); i < end; i += 4) {
    store<f32>(yAt + i, load<f32>(yAt + i) + load<f32>(aAt + i) * load<f32>(bAt + i) * scale)
  }
}

/** y = x * gain * scale. */
function scaleBy(scale: f32, gainAt: usize, xAt: usize, yAt: usize, K: i32): void {
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    const s = f32x4.splat(scale)
    for (const whole = bytes(K & ~3); i < whole; i += 16) {
      v128.store(yAt + i, f32x4.mul(f32x4.mul(v128.load(xAt + i), v128.load(gainAt + i)), s))
    }
  }
  for (const end = bytes(K); i < end; i += 4) {
    store<f32>(yAt + i, load<f32>(xAt + i) * load<f32>(gainAt + i) * scale)
  }
}

/** y[M,K] = (x - mean) * inverse * gain + bias, inverse = 1 / sqrt(variance + eps); stats[M,2] = mean, inverse. */
export function layer_norm__f32(
  xAt: usize,
  gainAt: usize,
  biasAt: usize,
  yAt: usize,
  statsAt: usize,
  M: i32,
  K: i32,
  eps: f32,
): void {
  const row = bytes(K)
  const whole = bytes(K & ~3)
  const first = firstOf(M)
  xAt += <usize>first * row
  yAt += <usize>first * row
  statsAt += (<usize>first) << 3
  for (let m = first, end = endOf(M); m < end; m++) {
    const mean = sum(xAt, K) / <f32>K
    const inverse: f32 = 1 / sqrt<f32>(sumSquaresAbout(xAt, mean, K) / <f32>K + eps)
    store<f32>(statsAt, mean)
    store<f32>(statsAt, inverse, 4)
    let i: usize = 0
    if (ASC_FEATURE_SIMD) {
      const s = f32x4.splat(inverse)
      const c = f32x4.splat(mean)
      for (; i < whole; i += 16) {
        const z = f32x4.mul(f32x4.sub(v128.load(xAt + i), c), s)
        v128.store(yAt + i, f32x4.add(f32x4.mul(z, v128.load(gainAt + i)), v128.load(biasAt + i)))
      }
    }
    for (; i < row; i += 4) {
      const z = (load<f32>(xAt + i) - mean) * inverse
      store<f32>(yAt + i, z * load<f32>(gainAt + i) + load<f32>(biasAt + i))
    }
    xAt += row
    yAt += row
    statsAt += 8
  }
}

/**
 * With z = (x - mean) * inverse and u = dy * gain: dx = inverse * (u - mean(u) - z * mean(u*z)); of the rows of each block
 * dgains[blocks,K] = sums of dy*z, dbiases[blocks,K] = sums of dy. The first walk of a row sums and leaves u in dx, the
 * second finishes dx.
 */
export function layer_norm_grad__f32(
  dyAt: usize,
  xAt: usize,
  gainAt: usize,
  statsAt: usize,
  dxAt: usize,
  dgainsAt: usize,
  dbiasesAt: usize,
  M: i32,
  K: i32,
  blocks: i32,
): void {
  const row = bytes(K)
  const whole = bytes(K & ~3)
  const first = firstOf(blocks)
  const skipped = <usize>blockAt(first, blocks, M)
  dyAt += skipped * row
  xAt += skipped * row
  dxAt += skipped * row
  statsAt += skipped << 3
  for (let block = first, last = endOf(blocks); block < last; block++) {
    const dgainAt = dgainsAt + <usize>block * row
    const dbiasAt = dbiasesAt + <usize>block * row
    memory.fill(dgainAt, 0, row)
    memory.fill(dbiasAt, 0, row)
    for (let m = blockAt(block, blocks, M), end = blockAt(block + 1, blocks, M); m < end; m++) {
      const mean = load<f32>(statsAt)
      const inverse = load<f32>(statsAt, 4)
      let i: usize = 0
      if (ASC_FEATURE_SIMD) {
        const s = f32x4.splat(inverse)
        const c = f32x4.splat(mean)
        let sumU = f32x4.splat(0)
        let sumUz = f32x4.splat(0)
        for (; i < whole; i += 16) {
          const dy = v128.load(dyAt + i)
          const z = f32x4.mul(f32x4.sub(v128.load(xAt + i), c), s)
          const u = f32x4.mul(dy, v128.load(gainAt + i))
          sumU = f32x4.add(sumU, u)
          sumUz = f32x4.add(sumUz, f32x4.mul(u, z))
          v128.store(dxAt + i, u)
          v128.store(dgainAt + i, f32x4.add(v128.load(dgainAt + i), f32x4.mul(dy, z)))
          v128.store(dbiasAt + i, f32x4.add(v128.load(dbiasAt + i), dy))
        }
        v128.store(scratch, sumU)
        v128.store(scratch, sumUz, 16)
      } else memory.fill(scratch, 0, 32)
      for (; i < row; i += 4) {
        const dy = load<f32>(dyAt + i)
        const z = (load<f32>(xAt + i) - mean) * inverse
        const u = dy * load<f32>(gainAt + i)
        addPartial(scratch, i, u)
        addPartial(scratch + 16, i, u * z)
        store<f32>(dxAt + i, u)
        store<f32>(dgainAt + i, load<f32>(dgainAt + i) + dy * z)
        store<f32>(dbiasAt + i, load<f32>(dbiasAt + i) + dy)
      }
      finishRow(xAt, mean, inverse, total(scratch) / <f32>K, total(scratch + 16) / <f32>K, dxAt, K)
      dyAt += row
      xAt += row
      dxAt += row
      statsAt += 8
    }
  }
}

/** dx = (dx - meanU - (x - mean) * inverse * meanUz) * inverse. */
function finishRow(xAt: usize, mean: f32, inverse: f32, meanU: f32, meanUz: f32, dxAt: usize, K: i32): void {
  const along = inverse * meanUz
  let i: usize = 0
  if (ASC_FEATURE_SIMD) {
    const s = f32x4.splat(inverse)
    const c = f32x4.splat(mean)
    const a = f32x4.splat(along)
    const u = f32x4.splat(meanU)
    for (const whole = bytes(K & ~3); i < whole; i += 16) {
      const rest = f32x4.sub(f32x4.sub(v128.load(dxAt + i), u), f32x4.mul(f32x4.sub(v128.load(xAt + i), c), a))
      v128.store(dxAt + i, f32x4.mul(rest, s))
    }
  }
  for (const end = bytes(K); i < end; i += 4) {
    const rest = load<f32>(dxAt + i) - meanU - (load<f32>(xAt + i) - mean) * along
    store<f32>(dxAt + i, rest * inverse)
  }
}

/** y[M,K] = x / norm, norm[M] = max(|x|, floor). */
export function l2_normalize__f32(xAt: usize, yAt: usize, normAt: usize, M: i32, K: i32, floor: f32): void {
  for (let m = 0; m < M; m++) {
    const norm = max<f32>(sqrt<f32>(sumSquares(xAt, K)), floor)
    store<f32>(normAt + bytes(m), norm)
    scaleRow(1 / norm, xAt, yAt, K)
    xAt += bytes(K)
    yAt += bytes(K)
  }
}

/** dx = (dy - y * (y . dy)) / norm; where the floor holds, dy / norm. */
export function l2_normalize_grad__f32(
  dyAt: usize,
  yAt: usize,
  normAt: usize,
  dxAt: usize,
  M: i32,
  K: i32,
  floor: f32,
): void {
  for (let m = 0; m < M; m++) {
    const norm = load<f32>(normAt + bytes(m))
    const inverse: f32 = 1 / norm
    scaleRow(inverse, dyAt, dxAt, K)
    if (norm > floor) axpy(-inverse * dot(yAt, dyAt, K), yAt, dxAt, K)
    dyAt += bytes(K)
    yAt += bytes(K)
    dxAt += bytes(K)
  }
}
