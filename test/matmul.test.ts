/**
 * Products at every tail: each form and instruction set against exact sums, the same bits on all deterministic
 * variants, nothing written beside the output, and operands flush with the end of memory.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { packedBytes, roundUp, type KernelEntry } from '../src/abi.ts'
import { panelBytes, tnPanelBytes } from '../src/ops/matmul.ts'
import { packTernary } from '../src/quant/ternary.ts'
import type { Kernels } from '../src/runtime/kernels.ts'
import { builtKernels } from './support/kernels.ts'
import { uniform } from './support/op-case.ts'

const modules = await builtKernels()
const CANARY = 0xa5
const GUARD = 64

interface Problem {
  family: string
  sizes: [M: number, K: number, N: number]
  /** Operands in order; null is an absent one. Output, scratch and sizes follow them. */
  operands: (Float32Array | Int8Array | Int32Array | Uint8Array | null)[]
  outputs: number
  scratchBytes: number
  want: Float64Array
  /** Largest error, absolute; 0: exact. */
  bound: number
}

const depths = [...Array.from({ length: 40 }, (_, i) => i + 1), 127, 128, 129, 130, 255, 256, 257, 272, 520, 521]
const sides = Array.from({ length: 17 }, (_, i) => i + 1)

/** Every depth with a few sides, every side with a few depths, and panels in groups of several and of one. */
function* allSizes(): Generator<[number, number, number]> {
  for (const [i, K] of depths.entries()) yield [sides[(5 * i) % 17], K, sides[(7 * i + 3) % 17]]
  for (const M of sides) for (const N of sides) yield [M, 1 + ((3 * M + 5 * N) % 40), N]
  yield [9, 1100, 60]
  yield [7, 4200, 20]
}

/** Runs a kernel with its output at the very end of memory and a guard between scratch and output. */
function run(kernels: Kernels, entry: KernelEntry, p: Problem): Float32Array {
  let next = roundUp(kernels.manifest.heapBase, 64)
  const operands = p.operands.map((data) => {
    if (!data) return 0
    const at = next
    next += roundUp(data.byteLength, 64)
    kernels.reserve(next)
    new Uint8Array(kernels.memory.buffer, at, data.byteLength).set(
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    )
    return at
  })
  const scratchAt = next
  next += roundUp(p.scratchBytes, 64) + GUARD
  kernels.reserve(next + 4 * p.outputs)
  const memory = new Uint8Array(kernels.memory.buffer)
  const yAt = memory.length - 4 * p.outputs
  memory.fill(CANARY, scratchAt)
  kernels.function(entry)(...operands, yAt, scratchAt, ...p.sizes)
  const guards = memory.subarray(scratchAt + roundUp(p.scratchBytes, 64), yAt)
  const isIntact = Buffer.alloc(guards.length, CANARY).equals(guards)
  assert.ok(isIntact, `${entry.name} ${p.sizes} must not write beside its output`)
  return new Float32Array(kernels.view('f32', yAt, p.outputs))
}

function check(p: Problem): void {
  let bits: Float32Array | undefined
  for (const kernels of modules) {
    for (const entry of kernels.manifest.kernels.filter(({ family }) => family === p.family)) {
      const got = run(kernels, entry, p)
      const title = `${entry.name} M,K,N = ${p.sizes}`
      const worst = p.want.reduce((most, want, i) => Math.max(most, Math.abs(got[i] - want)), 0)
      assert.ok(worst <= p.bound && !got.some(Number.isNaN), `${title}: error ${worst} must be <= ${p.bound}`)
      if (!entry.deterministic) continue
      bits ??= got
      assert.equal(new Uint32Array(got.buffer), new Uint32Array(bits.buffer), `${title} must have the bits of scalar`)
    }
  }
}

const next = uniform(3)
const reals = (count: number) => Float32Array.from({ length: count }, () => 2 * next() - 1)

/** c[rows, columns] = sum over depth of a(r, d) * b(d, c), in float64. */
function product(
  rows: number,
  depth: number,
  columns: number,
  a: (r: number, d: number) => number,
  b: (d: number, c: number) => number,
): Float64Array {
  const c = new Float64Array(rows * columns)
  for (let r = 0; r < rows; r++) {
    for (let d = 0; d < depth; d++) for (let n = 0; n < columns; n++) c[r * columns + n] += a(r, d) * b(d, n)
  }
  return c
}

/** Scratch of a group of panels of sizes that are known. */
const groupBytes = (outputs: number, depth: number) => Number(panelBytes(outputs, depth))

/** Terms lie within 1 in absolute value, so a sum of `depth` of them errs by at most depth^2 half-ulps of 1. */
const floatBound = (depth: number) => depth * depth * 2 ** -24 + 2 ** -22

test('x . w^T + bias', () => {
  for (const [M, K, N] of allSizes()) {
    const [x, w] = [reals(M * K), reals(N * K)]
    const bias = N % 2 ? reals(N) : null
    const want = product(
      M,
      K,
      N,
      (m, k) => x[m * K + k],
      (k, n) => w[n * K + k],
    ).map((y, i) => y + (bias ? bias[i % N] : 0))
    const bound = floatBound(K + 1)
    check({
      family: 'matmul_nt__f32',
      sizes: [M, K, N],
      operands: [x, w, bias],
      outputs: M * N,
      scratchBytes: groupBytes(N, K),
      want,
      bound,
    })
  }
})

test('x . (codes * scales)^T + bias has the bits of the product with those numbers', () => {
  for (const [M, K, N] of allSizes()) {
    const x = reals(M * K)
    const codes = Int8Array.from({ length: N * K }, () => Math.floor(255 * next()) - 127)
    const scales = Float32Array.from({ length: N }, () => (next() + 0.01) / 127)
    const w = Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / K)])
    const bias = N % 2 ? reals(N) : null
    for (const kernels of modules) {
      const sizes: Problem['sizes'] = [M, K, N]
      const problem = { sizes, outputs: M * N, scratchBytes: groupBytes(N, K), want: new Float64Array(), bound: 0 }
      const of = (family: string, operands: Problem['operands']) =>
        run(kernels, kernels.entry(family, true), { ...problem, family, operands })
      const want = of('matmul_nt__f32', [x, w, bias])
      const got = of('matmul_nt__f32_i8', [x, codes, scales, bias])
      assert.equal(new Uint32Array(got.buffer), new Uint32Array(want.buffer), `${kernels.manifest.isa} ${sizes}`)
    }
  }
})

test('dy . w', () => {
  for (const [M, N, K] of allSizes()) {
    const [dy, w] = [reals(M * N), reals(N * K)]
    const want = product(
      M,
      N,
      K,
      (m, n) => dy[m * N + n],
      (n, k) => w[n * K + k],
    )
    const bound = floatBound(N)
    check({
      family: 'matmul_nn__f32',
      sizes: [M, K, N],
      operands: [dy, w],
      outputs: M * K,
      scratchBytes: groupBytes(K, N),
      want,
      bound,
    })
  }
})

test('dy^T . x', () => {
  for (const [N, M, K] of allSizes()) {
    const [dy, x] = [reals(M * N), reals(M * K)]
    const want = product(
      N,
      M,
      K,
      (n, m) => dy[m * N + n],
      (m, k) => x[m * K + k],
    )
    check({
      family: 'matmul_tn__f32',
      sizes: [M, K, N],
      operands: [dy, x],
      outputs: N * K,
      scratchBytes: tnPanelBytes(K),
      want,
      bound: floatBound(M),
    })
  }
})

const draws = {
  random: () => ({ x: Math.floor(255 * next()) - 127, w: Math.floor(3 * next()) - 1 }),
  extreme: () => ({ x: next() < 0.5 ? 127 : -127, w: next() < 0.5 ? 1 : -1 }),
  largest: () => ({ x: 127, w: 1 }),
  smallest: () => ({ x: -127, w: 1 }),
  zero: () => ({ x: 0, w: 0 }),
}

/** Codes with rows at a stride of 16 bytes, as quantize_rows leaves them. */
function codesOf(M: number, K: number, draw: () => number): Int8Array {
  const stride = roundUp(K, 16)
  return Int8Array.from({ length: M * stride }, (_, i) => (i % stride < K ? draw() : 0))
}

for (const [name, draw] of Object.entries(draws)) {
  test(`ternary product, ${name} codes`, () => {
    for (const [M, K, N] of allSizes()) {
      const stride = roundUp(K, 16)
      const x = codesOf(M, K, () => draw().x)
      const w = Int8Array.from({ length: N * K }, () => draw().w)
      const sums = Int32Array.from({ length: M }, (_, m) =>
        x.subarray(m * stride, m * stride + K).reduce((a, b) => a + b, 0),
      )
      // a = 127 and gamma = 1 make the scale exactly 1: the output is the integer itself.
      const absmax = new Float32Array(M).fill(127)
      const gamma = new Float32Array([1])
      const want = product(
        M,
        K,
        N,
        (m, k) => x[m * stride + k],
        (k, n) => w[n * K + k],
      )
      const operands = [x, absmax, sums, packTernary(w, N, K), gamma, null]
      check({
        family: 'matmul_nt__i8_t2',
        sizes: [M, K, N],
        operands,
        outputs: M * N,
        scratchBytes: 16 * stride + 64,
        want,
        bound: 0,
      })
    }
  })
}

test('dy . (gamma * Wt)', () => {
  for (const [M, N, K] of allSizes()) {
    const dy = reals(M * N)
    const w = Int8Array.from({ length: N * K }, () => Math.floor(3 * next()) - 1)
    const packed = packTernary(w, N, K)
    assert.is(packed.length, packedBytes(N, K))
    const gamma = new Float32Array([0.75])
    const want = product(
      M,
      N,
      K,
      (m, n) => dy[m * N + n],
      (n, k) => 0.75 * w[n * K + k],
    )
    const operands = [dy, packed, gamma]
    check({
      family: 'matmul_nn__t2',
      sizes: [M, K, N],
      operands,
      outputs: M * K,
      scratchBytes: groupBytes(K, N),
      want,
      bound: floatBound(N),
    })
  }
})

test.run()
