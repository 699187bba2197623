/**
 * GroupNorm (arXiv 1803.08494) with channels last: statistics of 8 channels over all positions of a sample. The 8
 * channels are 8 partial sums, so a position costs two vector additions and no shuffle. A sample lies in L2 while its
 * groups are walked three times; large batches are bound by memory.
 */
import { bytes } from '../lib/lanes'
import { endOf, firstOf, scratch } from '../lib/threads'

const GROUP = 8
/** Where the second eight partial sums lie in scratch. */
const SECOND: usize = 32

/** The sum of eight partial sums: 4 apart first, then as lanes.ts combines four. */
function total(at: usize): f32 {
  const l0 = load<f32>(at) + load<f32>(at, 16)
  const l1 = load<f32>(at, 4) + load<f32>(at, 20)
  const l2 = load<f32>(at, 8) + load<f32>(at, 24)
  const l3 = load<f32>(at, 12) + load<f32>(at, 28)
  return l0 + l1 + (l2 + l3)
}

/** y[B,P,C] = (x - mean) * inverse * gain + bias, a group at a time; stats[B,C/8,2] = mean, inverse. */
export function group_norm__f32(
  xAt: usize,
  gainAt: usize,
  biasAt: usize,
  yAt: usize,
  statsAt: usize,
  B: i32,
  P: i32,
  C: i32,
  eps: f32,
): void {
  const step = bytes(C)
  const count = <f32>(P * GROUP)
  const groups = C / GROUP
  for (let g = firstOf(B * groups), end = endOf(B * groups); g < end; g++) {
    const c = bytes((g % groups) * GROUP)
    const at = <usize>((g / groups) * P) * step + c
    const mean = sumGroup(xAt + at, step, P) / count
    const inverse: f32 = 1 / sqrt<f32>(sumGroupSquares(xAt + at, mean, step, P) / count + eps)
    store<f32>(statsAt + bytes(2 * g), mean)
    store<f32>(statsAt + bytes(2 * g), inverse, 4)
    scaleGroup(xAt + at, mean, inverse, gainAt + c, biasAt + c, yAt + at, step, P)
  }
}

function sumGroup(xAt: usize, step: usize, P: i32): f32 {
  if (ASC_FEATURE_SIMD) {
    let low = f32x4.splat(0)
    let high = f32x4.splat(0)
    for (const end = xAt + <usize>P * step; xAt < end; xAt += step) {
      low = f32x4.add(low, v128.load(xAt))
      high = f32x4.add(high, v128.load(xAt, 16))
    }
    v128.store(scratch, low)
    v128.store(scratch, high, 16)
  } else {
    for (let j: usize = 0; j < bytes(GROUP); j += 4) {
      let sum: f32 = 0
      for (let p = 0; p < P; p++) sum += load<f32>(xAt + <usize>p * step + j)
      store<f32>(scratch + j, sum)
    }
  }
  return total(scratch)
}

/** Sum of (x - mean)^2. */
function sumGroupSquares(xAt: usize, mean: f32, step: usize, P: i32): f32 {
  if (ASC_FEATURE_SIMD) {
    const m = f32x4.splat(mean)
    let low = f32x4.splat(0)
    let high = f32x4.splat(0)
    for (const end = xAt + <usize>P * step; xAt < end; xAt += step) {
      const d0 = f32x4.sub(v128.load(xAt), m)
      const d1 = f32x4.sub(v128.load(xAt, 16), m)
      low = f32x4.add(low, f32x4.mul(d0, d0))
      high = f32x4.add(high, f32x4.mul(d1, d1))
    }
    v128.store(scratch, low)
    v128.store(scratch, high, 16)
  } else {
    for (let j: usize = 0; j < bytes(GROUP); j += 4) {
      let sum: f32 = 0
      for (let p = 0; p < P; p++) {
        const d = load<f32>(xAt + <usize>p * step + j) - mean
        sum += d * d
      }
      store<f32>(scratch + j, sum)
    }
  }
  return total(scratch)
}

/** y = (x - mean) * (inverse * gain) + bias for one group of one sample. */
function scaleGroup(
  xAt: usize,
  mean: f32,
  inverse: f32,
  gainAt: usize,
  biasAt: usize,
  yAt: usize,
  step: usize,
  P: i32,
): void {
  if (ASC_FEATURE_SIMD) {
    const m = f32x4.splat(mean)
    const s0 = f32x4.mul(f32x4.splat(inverse), v128.load(gainAt))
    const s1 = f32x4.mul(f32x4.splat(inverse), v128.load(gainAt, 16))
    const b0 = v128.load(biasAt)
    const b1 = v128.load(biasAt, 16)
    for (const end = xAt + <usize>P * step; xAt < end; xAt += step) {
      v128.store(yAt, f32x4.add(f32x4.mul(f32x4.sub(v128.load(xAt), m), s0), b0))
      v128.store(yAt, f32x4.add(f32x4.mul(f32x4.sub(v128.load(xAt, 16), m), s1), b1), 16)
      yAt += step
    }
  } else {
    for (let p = 0; p < P; p++) {
      for (let j: usize = 0; j < bytes(GROUP); j += 4) {
        store<f32>(yAt + j, (load<f32>(xAt + j) - mean) * (inverse * load<f32>(gainAt + j)) + load<f32>(biasAt + j))
      }
      xAt += step
      yAt += step
    }
  }
}

/**
 * With z = (x - mean) * inverse and u = dy * gain: dx = inverse * (u - mean(u) - z * mean(u*z)), means over the group; of
 * each sample dgains[B,C] = sums of dy*z, dbiases[B,C] = sums of dy. The sums of a channel over a sample serve all three.
 */
export function group_norm_grad__f32(
  dyAt: usize,
  xAt: usize,
  gainAt: usize,
  statsAt: usize,
  dxAt: usize,
  dgainsAt: usize,
  dbiasesAt: usize,
  B: i32,
  P: i32,
  C: i32,
): void {
  const step = bytes(C)
  const count = <f32>(P * GROUP)
  const groups = C / GROUP
  for (let g = firstOf(B * groups), end = endOf(B * groups); g < end; g++) {
    const c = bytes((g % groups) * GROUP)
    const at = <usize>((g / groups) * P) * step + c
    const mean = load<f32>(statsAt + bytes(2 * g))
    const inverse = load<f32>(statsAt + bytes(2 * g), 4)
    sumGradients(dyAt + at, xAt + at, mean, step, P)
    const first = bytes(g * GROUP)
    for (let j: usize = 0; j < bytes(GROUP); j += 4) {
      const sumDy = load<f32>(scratch + j)
      const sumDyZ = load<f32>(scratch + SECOND + j) * inverse
      const gain = load<f32>(gainAt + c + j)
      store<f32>(dgainsAt + first + j, sumDyZ)
      store<f32>(dbiasesAt + first + j, sumDy)
      store<f32>(scratch + j, sumDy * gain)
      store<f32>(scratch + SECOND + j, sumDyZ * gain)
    }
    const meanU = total(scratch) / count
    const meanUz = total(scratch + SECOND) / count
    const along = inverse * inverse * meanUz
    blendGroup(dyAt + at, xAt + at, mean, inverse, gainAt + c, along, inverse * meanU, dxAt + at, step, P)
  }
}

/** Sums of dy, and SECOND bytes behind them sums of dy * (x - mean), one a channel, into scratch. */
function sumGradients(dyAt: usize, xAt: usize, mean: f32, step: usize, P: i32): void {
  if (ASC_FEATURE_SIMD) {
    const m = f32x4.splat(mean)
    let a0 = f32x4.splat(0),
      a1 = f32x4.splat(0),
      z0 = f32x4.splat(0),
      z1 = f32x4.splat(0)
    for (const end = xAt + <usize>P * step; xAt < end; xAt += step) {
      const d0 = v128.load(dyAt)
      const d1 = v128.load(dyAt, 16)
      a0 = f32x4.add(a0, d0)
      a1 = f32x4.add(a1, d1)
      z0 = f32x4.add(z0, f32x4.mul(d0, f32x4.sub(v128.load(xAt), m)))
      z1 = f32x4.add(z1, f32x4.mul(d1, f32x4.sub(v128.load(xAt, 16), m)))
      dyAt += step
    }
    v128.store(scratch, a0)
    v128.store(scratch, a1, 16)
    v128.store(scratch + SECOND, z0)
    v128.store(scratch + SECOND, z1, 16)
  } else {
    for (let j: usize = 0; j < bytes(GROUP); j += 4) {
      let sumDy: f32 = 0
      let sumDyX: f32 = 0
      for (let p = 0; p < P; p++) {
        const at = <usize>p * step + j
        const dy = load<f32>(dyAt + at)
        sumDy += dy
        sumDyX += dy * (load<f32>(xAt + at) - mean)
      }
      store<f32>(scratch + j, sumDy)
      store<f32>(scratch + SECOND + j, sumDyX)
    }
  }
}

/** dx = dy * (inverse * gain) - (x - mean) * along - level for one group of one sample. */
function blendGroup(
  dyAt: usize,
  xAt: usize,
  mean: f32,
  inverse: f32,
  gainAt: usize,
  along: f32,
  level: f32,
  dxAt: usize,
  step: usize,
  P: i32,
): void {
  if (ASC_FEATURE_SIMD) {
    const m = f32x4.splat(mean)
    const s0 = f32x4.mul(f32x4.splat(inverse), v128.load(gainAt))
    const s1 = f32x4.mul(f32x4.splat(inverse), v128.load(gainAt, 16))
    const a = f32x4.splat(along)
    const l = f32x4.splat(level)
    for (const end = xAt + <usize>P * step; xAt < end; xAt += step) {
      const x0 = f32x4.mul(f32x4.sub(v128.load(xAt), m), a)
      const x1 = f32x4.mul(f32x4.sub(v128.load(xAt, 16), m), a)
      v128.store(dxAt, f32x4.sub(f32x4.sub(f32x4.mul(v128.load(dyAt), s0), x0), l))
      v128.store(dxAt, f32x4.sub(f32x4.sub(f32x4.mul(v128.load(dyAt, 16), s1), x1), l), 16)
      dyAt += step
      dxAt += step
    }
  } else {
    for (let p = 0; p < P; p++) {
      for (let j: usize = 0; j < bytes(GROUP); j += 4) {
        const x = (load<f32>(xAt + j) - mean) * along
        store<f32>(dxAt + j, load<f32>(dyAt + j) * (inverse * load<f32>(gainAt + j)) - x - level)
      }
      xAt += step
      dyAt += step
      dxAt += step
    }
  }
}
