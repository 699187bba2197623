/**
 * Augmentation: at identity it is the normalisation of inference, white stays white whatever is drawn, what is drawn
 * follows from the stream, and size, turn and shift move a picture where they should.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { roundUp } from '../src/abi.ts'
import { Stream, USE } from '../src/base/rng.ts'
import { MEAN, STD } from '../src/image/resize.ts'
import { augment } from '../src/train/augment.ts'
import type { Augmentation } from '../src/train/config.ts'
import { builtModule } from './support/kernels.ts'

const SIDE = 16
const NONE: Augmentation = {
  size: [1, 1],
  rotation: 0,
  shift: 0,
  saturation: [1, 1],
  mixing: 0,
  mixingShare: 0,
  contrast: [1, 1],
}
const STRONG: Augmentation = {
  size: [0.5, 1.5],
  rotation: 1,
  shift: 0.2,
  saturation: [0, 2],
  mixing: 0.5,
  mixingShare: 1,
  contrast: [0.5, 1.5],
}

const stream = (sample: number) => new Stream(7, 1, sample, USE.augment)

function augmented(rgb: Uint8Array, options: Augmentation, sample = 0): Float32Array {
  const out = new Float32Array(rgb.length)
  augment(rgb, SIDE, options, stream(sample), out)
  return out
}

/** Colour in 0..1 of a place, without the normalisation. */
const colour = (pixels: Float32Array, k: number, at: number) => pixels[k * SIDE * SIDE + at] * STD[k] + MEAN[k]

const noise = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => new Stream(i, 0, 0, 0).below(256))
const white = new Uint8Array(SIDE * SIDE * 3).fill(255)

/** White, with one black pixel. */
function dot(x: number, y: number): Uint8Array {
  return white.slice().fill(0, 3 * (y * SIDE + x), 3 * (y * SIDE + x) + 3)
}

/** Centre of what is dark, in pixels. */
function centre(pixels: Float32Array): [number, number] {
  let [weight, x, y] = [0, 0, 0]
  for (let at = 0; at < SIDE * SIDE; at++) {
    const dark = 1 - colour(pixels, 0, at)
    weight += dark
    x += dark * (at % SIDE)
    y += dark * Math.floor(at / SIDE)
  }
  return [x / weight, y / weight]
}

test('without changes it is the normalised picture of inference', async () => {
  const kernels = await builtModule('scalar')
  const at = roundUp(kernels.manifest.heapBase, 16)
  const to = at + roundUp(noise.length, 16)
  kernels.reserve(to + 4 * noise.length)
  kernels.view('u8', at, noise.length).set(noise)
  kernels.function(kernels.entry('normalize_pixels__u8', true))(at, to, SIDE)
  const want = kernels.view('f32', to, noise.length)
  augmented(noise, NONE).forEach((got, i) => assert.ok(Math.abs(got - want[i]) < 1e-6, `${i}: ${got}, ${want[i]}`))
})

test('white stays white, and what comes in from outside is white', () => {
  for (let sample = 0; sample < 50; sample++) {
    const pixels = augmented(white, STRONG, sample)
    for (let k = 0; k < 3; k++) {
      for (let at = 0; at < SIDE * SIDE; at++)
        assert.ok(Math.abs(colour(pixels, k, at) - 1) < 1e-6, `sample ${sample}: ${colour(pixels, k, at)}`)
    }
  }
})

test('equal streams give equal pictures, others do not; colours stay colours', () => {
  assert.equal(augmented(noise, STRONG, 4), augmented(noise, STRONG, 4))
  assert.not.equal(augmented(noise, STRONG, 4), augmented(noise, STRONG, 5))
  for (let sample = 0; sample < 20; sample++) {
    const pixels = augmented(noise, STRONG, sample)
    for (let i = 0; i < noise.length; i++) {
      const value = colour(pixels, Math.floor(i / (SIDE * SIDE)), i % (SIDE * SIDE))
      assert.ok(value > -1e-6 && value < 1 + 1e-6, `${value}`)
    }
  }
})

test('size is a factor on distances from the middle, a turn keeps them, a shift is within its bound', () => {
  const middle = (SIDE - 1) / 2
  const distance = ([x, y]: [number, number]) => Math.hypot(x - middle, y - middle)
  const from = distance([11, 6])
  const larger = centre(augmented(dot(11, 6), { ...NONE, size: [1.5, 1.5] }))
  assert.ok(Math.abs(distance(larger) - 1.5 * from) < 0.1, `${larger}`)
  assert.ok(Math.abs((larger[0] - middle) / (11 - middle) - 1.5) < 0.05, 'must keep its direction')
  const angles: number[] = []
  for (let sample = 0; sample < 30; sample++) {
    const turned = centre(augmented(dot(11, 6), { ...NONE, rotation: 0.5 }, sample))
    assert.ok(Math.abs(distance(turned) - from) < 0.3, `${turned}`)
    angles.push(Math.atan2(turned[1] - middle, turned[0] - middle) - Math.atan2(6 - middle, 11 - middle))
    const shifted = centre(augmented(dot(8, 8), { ...NONE, shift: 0.125 }, sample))
    for (const place of shifted) assert.ok(Math.abs(place - 8) <= 2 + 1e-4, `${shifted}`)
  }
  assert.ok(Math.max(...angles) > 0.25 && Math.max(...angles) < 0.55, `${Math.max(...angles)}`)
  assert.ok(Math.min(...angles) < -0.25 && Math.min(...angles) > -0.55, `${Math.min(...angles)}`)
})

test('saturation 0 is grey by BT.601, contrast is a factor on the distance from white', () => {
  const grey = augmented(noise, { ...NONE, saturation: [0, 0] })
  const half = augmented(noise, { ...NONE, contrast: [0.5, 0.5] })
  for (let at = 0; at < SIDE * SIDE; at++) {
    const [r, g, b] = noise.subarray(3 * at, 3 * at + 3)
    const want = (0.299 * r + 0.587 * g + 0.114 * b) / 255
    for (let k = 0; k < 3; k++) {
      assert.ok(Math.abs(colour(grey, k, at) - want) < 1e-6)
      assert.ok(Math.abs(1 - colour(half, k, at) - 0.5 * (1 - noise[3 * at + k] / 255)) < 1e-6)
    }
  }
})

test.run()
