/**
 * Image preparation against Pillow and PyTorch (golden/preprocess.safetensors), on every instruction set: the resized
 * bytes are equal, normalised pixels within 1e-6. Also that the kernel stays within the scratch it is said to need.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { roundUp } from '../src/abi.ts'
import type { TensorData } from '../src/base/dtype.ts'
import { MEAN, STD, resizeScratchBytes } from '../src/image/resize.ts'
import { readSafetensors } from '../src/io/safetensors.ts'
import type { Kernels } from '../src/runtime/kernels.ts'
import { builtKernels } from './support/kernels.ts'

const { tensors } = readSafetensors(readFileSync(join(import.meta.dirname, 'golden/preprocess.safetensors')))
const modules = await builtKernels()
const GUARD = 0xa5

function call(kernels: Kernels, family: string, ...args: number[]): void {
  kernels.function(kernels.entry(family, true))(...args)
}

/** [height, width, 3] -> [size, size, 3], every byte behind the scratch unchanged. */
function resize(kernels: Kernels, image: ArrayLike<number>, width: number, height: number, size: number): Uint8Array {
  const source = roundUp(kernels.manifest.heapBase, 16)
  const target = source + image.length
  const scratch = roundUp(target + size * size * 3, 16)
  const end = scratch + resizeScratchBytes(width, height, size)
  kernels.reserve(end + 64)
  kernels.view('u8', source, image.length).set(image)
  kernels.view('u8', end, 64).fill(GUARD)
  call(kernels, 'resize_bilinear__u8', source, target, scratch, width, height, size)
  assert.ok(
    kernels.view('u8', end, 64).every((byte) => byte === GUARD),
    'must stay within its scratch',
  )
  return kernels.view('u8', target, size * size * 3).slice() as Uint8Array
}

/** [size, size, 3] -> [3, size, size]. */
function normalize(kernels: Kernels, resized: ArrayLike<number>, size: number): TensorData {
  const source = roundUp(kernels.manifest.heapBase, 16)
  const target = roundUp(source + resized.length, 16)
  kernels.reserve(target + 4 * resized.length)
  kernels.view('u8', source, resized.length).set(resized)
  call(kernels, 'normalize_pixels__u8', source, target, size)
  return kernels.view('f32', target, resized.length).slice()
}

/** The bytes of a small noisy picture. */
function noise(width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * 31 + i * 7) % 251)
}

for (const kernels of modules) {
  const { isa } = kernels.manifest
  for (const name of ['photo', 'gradient', 'upscale']) {
    const image = tensors.get(`${name}.image`)!
    const resized = tensors.get(`${name}.resized`)!
    const [height, width] = image.shape
    const size = resized.shape[0]
    test(`${name}: ${width}x${height} to ${size} is Pillow's on ${isa}`, () => {
      assert.equal(resize(kernels, image.data as Uint8Array, width, height, size), resized.data)
    })
    test(`${name}: pixels are PyTorch's on ${isa}`, () => {
      const want = tensors.get(`${name}.pixels`)!.data as Float32Array
      const got = normalize(kernels, resized.data as Uint8Array, size)
      const error = want.reduce((worst, w, i) => Math.max(worst, Math.abs(got[i] - w)), 0)
      assert.ok(error <= 1e-6, `error ${error} must be <= 1e-6`)
    })
  }

  test(`an image of the right size is unchanged on ${isa}`, () => {
    assert.equal(resize(kernels, noise(9, 9), 9, 9, 9), noise(9, 9))
  })

  test(`extreme sizes on ${isa}: one pixel, one line, one output`, () => {
    assert.equal(resize(kernels, [1, 2, 255], 1, 1, 3), Uint8Array.from(Array(9).fill([1, 2, 255]).flat()))
    assert.equal(resize(kernels, new Uint8Array(3 * 997).fill(255), 997, 1, 2), new Uint8Array(12).fill(255))
    assert.equal(resize(kernels, new Uint8Array(3 * 331).fill(77), 1, 331, 1), new Uint8Array(3).fill(77))
  })
}

test('normalisation uses MEAN and STD', () => {
  const got = normalize(modules[0], [51, 102, 204], 1)
  ;[51, 102, 204].forEach((v, c) => assert.ok(Math.abs(got[c] - (v / 255 - MEAN[c]) / STD[c]) < 1e-6))
})

test.run()
