/**
 * Bounds of every exported kernel on every instruction set: all cases of all ops and of the kernels that no op calls,
 * forward and gradient, each buffer between canaries, then each in turn flush with the end of memory. Results must
 * not depend on the place, nor on the number of parts in which kernels split their outputs.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { packedBytes, type Arg, type KernelEntry, type Manifest, type Plan, type PlanBuffer } from '../src/abi.ts'
import { elementBytes } from '../src/base/dtype.ts'
import { Builder } from '../src/graph/builder.ts'
import { resizeScratchBytes } from '../src/image/resize.ts'
import { bitLinear } from '../src/ops/bitlinear.ts'
import { OPS } from '../src/ops/index.ts'
import { lower } from '../src/plan/lower.ts'
import { Kernels } from '../src/runtime/kernels.ts'
import { runGuarded } from './support/guarded.ts'
import { builtKernels } from './support/kernels.ts'
import { opCase, stored, uniform } from './support/op-case.ts'

interface BoundsCase {
  plan: Plan
  feeds: Map<string, ArrayLike<number>>
}

/** Kernels that need no test of bounds here, each with the reason. */
const EXEMPT: Record<string, string> = {}

function casesOfOps(): BoundsCase[] {
  const found: BoundsCase[] = []
  for (const op of OPS) {
    for (const c of op.cases) {
      for (const gradient of [false, true]) {
        const one = opCase(op, c, gradient)
        if (!one || one.results.length === 0) continue
        const named = one.graph.values.filter(({ name }) => name !== undefined && name in one.feeds)
        const feeds = new Map(named.map((value) => [value.name!, stored(value, one.feeds[value.name!])]))
        found.push({ plan: lower(one.graph, { symbols: {}, deterministic: true }), feeds })
      }
    }
  }
  return found
}

/** Ternary linears, which have no cases as ops of their own: forward and both gradients, tails of every tile. */
function casesOfBitLinear(): BoundsCase[] {
  const sizes = [
    [1, 1, 1],
    [3, 33, 9],
    [7, 48, 17],
    [13, 128, 33],
    // Rows enough to be split among threads.
    [70, 9, 5],
  ]
  return sizes.map(([M, K, N]) => {
    const b = new Builder(`bit_linear_m${M}_k${K}_n${N}`)
    const [x, W, dy] = [b.input('x', [M, K]), b.input('W', [N, K]), b.input('dy', [M, N])]
    const y = bitLinear(b, x, W, b.input('bias', [N]))
    const [dx, , , dW] = y.node!.op.grad!(b, y.node!, [dy], [true, false, false, true, false, false])
    for (const [name, value] of Object.entries({ y, dx: dx!, dW: dW! })) b.output(name, value)
    const next = uniform(M)
    const draw = (n: number) => Float32Array.from({ length: n }, () => next() - 0.5)
    const feeds = new Map(Object.entries({ x: draw(M * K), W: draw(N * K), dy: draw(M * N), bias: draw(N) }))
    return { plan: lower(b.graph, { symbols: {}, deterministic: true }), feeds }
  })
}

type Operand = [name: string, dtype: 'f32' | 'i32' | 'u8', length: number]

/** A plan of one call on operands, results last: for kernels that stand outside of ops. */
function oneCall(name: string, operands: Operand[], family: string, ...args: Arg[]): BoundsCase {
  const buffers = operands.map(([name, dtype, length]): PlanBuffer => {
    return { name, segment: 'io', dtype, shape: [length], bytes: length * elementBytes(dtype), offset: 0 }
  })
  const next = uniform(7)
  const feeds = new Map(operands.map(([name, , length]) => [name, Uint8Array.from({ length }, () => 256 * next())]))
  const outputs = [operands.at(-1)![0]]
  const calls = [{ k: family, a: args }]
  return { plan: { name, deterministic: true, symbols: {}, buffers, calls, inputs: [], outputs }, feeds }
}

/** Pillow's resize from [height, width, 3]: both axes smaller, larger, and one of each. */
function casesOfImages(): BoundsCase[] {
  const sizes = [
    [1, 1, 1],
    [11, 17, 8],
    [5, 3, 16],
    [7, 20, 9],
  ]
  const resizes = sizes.map(([width, height, size]) => {
    const operands: Operand[] = [
      ['image', 'u8', width * height * 3],
      ['scratch', 'u8', resizeScratchBytes(width, height, size)],
      ['resized', 'u8', size * size * 3],
    ]
    const addresses = [{ at: 0 }, { at: 2 }, { at: 1 }]
    return oneCall(
      `resize_${width}x${height}_${size}`,
      operands,
      'resize_bilinear__u8',
      ...addresses,
      width,
      height,
      size,
    )
  })
  const normalizes = [1, 3, 8].map((size) => {
    const operands: Operand[] = [
      ['resized', 'u8', size * size * 3],
      ['pixels', 'f32', size * size * 3],
    ]
    return oneCall(`normalize_${size}`, operands, 'normalize_pixels__u8', { at: 0 }, { at: 1 }, size)
  })
  return [...resizes, ...normalizes]
}

/** Int8 codes with scales: products with tails of every step, one row and several; a table that has a row for every id. */
function casesOfCodes(): BoundsCase[] {
  const sizes = [
    [1, 1, 1],
    [1, 33, 17],
    [1, 16, 16],
    [3, 19, 9],
    [7, 48, 20],
  ]
  const products = sizes.map(([M, K, N]) => {
    const operands: Operand[] = [
      ['x', 'f32', M * K],
      ['codes', 'u8', N * K],
      ['scales', 'f32', N],
      ['bias', 'f32', N],
      ['scratch', 'f32', 8 * Math.ceil(N / 8) * K],
      ['y', 'f32', M * N],
    ]
    const addresses = [0, 1, 2, 3, 5, 4].map((at) => ({ at }))
    return oneCall(`codes_m${M}_k${K}_n${N}`, operands, 'matmul_nt__f32_i8', ...addresses, M, K, N)
  })
  const table: Operand[] = [
    ['codes', 'u8', 256 * 5],
    ['scales', 'f32', 256],
    ['ids', 'i32', 7],
    ['y', 'f32', 7 * 5],
  ]
  return [
    ...products,
    oneCall('embedding_codes', table, 'embedding__i8', { at: 0 }, { at: 1 }, { at: 2 }, { at: 3 }, 7, 5),
  ]
}

const cases = [
  ...casesOfCodes(),
  ...casesOfOps(),
  ...casesOfBitLinear(),
  ...casesOfImages(),
  oneCall('fill', [['y', 'f32', 7]], 'fill__f32', { at: 0 }, 0, 1.5, 7),
  oneCall('fill_from', [['y', 'f32', 9]], 'fill__f32', { at: 0 }, 4, 1.5, 5),
  ...[
    [1, 1],
    [9, 33],
    [16, 64],
  ].map(([N, K]) => {
    const operands: Operand[] = [
      ['packed', 'u8', packedBytes(N, K)],
      ['gamma', 'f32', 1],
      ['W', 'f32', N * K],
    ]
    return oneCall(`unpack_n${N}_k${K}`, operands, 'unpack_ternary__t2', { at: 0 }, { at: 1 }, { at: 2 }, N, K)
  }),
]

/** Runs a case in every placement; returns the kernels that ran. */
function checkBounds({ plan, feeds }: BoundsCase, kernels: Kernels): string[] {
  const first = runGuarded(kernels, plan, feeds, null)
  plan.buffers.forEach((buffer, i) => {
    if (buffer.bytes === 0) return
    const { results } = runGuarded(kernels, plan, feeds, i)
    for (const name of plan.outputs) {
      const message = `${plan.name}: ${name} must not change with buffer ${buffer.name ?? `%${i}`} at the end of memory`
      assert.equal(results.get(name), first.results.get(name), message)
    }
  })
  for (const [count, oneThread] of [
    [2, false],
    [3, false],
    [3, true],
  ] as const) {
    const { results } = runGuarded(kernels, plan, feeds, null, { count, oneThread })
    for (const name of plan.outputs) {
      assert.equal(
        results.get(name),
        first.results.get(name),
        `${plan.name}: ${name} must not change in ${count} parts`,
      )
    }
  }
  return [...first.used].map((entry) => entry.name)
}

for (const kernels of await builtKernels()) {
  const { isa, kernels: entries } = kernels.manifest
  const used = new Set<string>()
  for (const one of cases) {
    const called = entries.filter(({ family }) => one.plan.calls.some(({ k }) => k === family))
    const first = (family: string) => called.find((entry) => entry.family === family && entry.deterministic)
    // A deterministic plan, one that takes the fastest variant, and every other deterministic one reach every kernel.
    const others = called.filter((entry) => entry.deterministic && entry !== first(entry.family))
    const runs = [
      { deterministic: true, variant: '' },
      ...others.map(({ name }) => ({ deterministic: true, variant: name })),
    ]
    if (called.some((entry) => !entry.deterministic)) runs.push({ deterministic: false, variant: 'fastest' })
    for (const { deterministic, variant } of runs) {
      const plan = { ...one.plan, deterministic }
      test(`${isa} ${plan.name} ${variant}: stays within its buffers`, () => {
        const other = others.find(({ name }) => name === variant)
        if (other) kernels.prefer(other)
        for (const name of checkBounds({ ...one, plan }, kernels)) used.add(name)
        if (other) kernels.prefer(first(other.family)!)
      })
    }
  }
  test(`${isa}: every kernel ran`, () => {
    const missing = entries.filter(({ name, family }) => !used.has(name) && !(family in EXEMPT))
    assert.equal(
      missing.map(({ name }) => name),
      [],
    )
    const unknown = Object.keys(EXEMPT).filter((family) => !entries.some((entry) => entry.family === family))
    assert.equal(unknown, [], 'exempt kernels must exist')
  })
}
/** A module whose one kernel writes an f32 where its argument says. */
function writer(): Kernels {
  const memory = new WebAssembly.Memory({ initial: 1 })
  const write__f32 = (at: number, i: number) => new DataView(memory.buffer).setFloat32(at + 4 * i, 1)
  const entry: KernelEntry = {
    name: 'write__f32',
    family: 'write__f32',
    params: [],
    deterministic: true,
    parallel: false,
  }
  const manifest: Manifest = { isa: 'scalar', heapBase: 0, sha256: '', kernels: [entry], answers: [] }
  return new Kernels(manifest, { exports: { memory, write__f32 } } as unknown as WebAssembly.Instance)
}

test('guards notice a write before, behind and past the end of memory', () => {
  const at = (i: number) => oneCall('write', [['y', 'f32', 3]], 'write__f32', { at: 0 }, i).plan
  for (const last of [null, 0]) runGuarded(writer(), at(2), new Map(), last)
  assert.throws(() => runGuarded(writer(), at(-1), new Map(), null), /write__f32 must not write below y/)
  assert.throws(() => runGuarded(writer(), at(3), new Map(), null), /write__f32 must not write behind y/)
  assert.throws(() => runGuarded(writer(), at(3), new Map(), 0), /must not trap with y at the end of memory/)
})

for (const [family, reason] of Object.entries(EXEMPT)) console.log(`exempt ${family}: ${reason}`)

test.run()
