/** The trial at load between variants of a kernel that give the same bits, on clocks as pages have them. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { trialName, type KernelEntry } from '../src/abi.ts'
import { Kernels } from '../src/runtime/kernels.ts'
import { chooseVariants } from '../src/runtime/trial.ts'
import { builtKernels, builtModule } from './support/kernels.ts'

const TERNARY = 'matmul_nt__i8_t2'

const SERVED = 'matmul_nt__i8_t2__m4n16__simd128'

/** A module in which the ternary product has another variant, and both those trial loops that are given. */
async function withLoops(loops: Partial<Record<typeof SERVED | 'other', () => void>>): Promise<Kernels> {
  const { manifest, memory } = await builtModule('simd128')
  const other: KernelEntry = { ...manifest.kernels.find(({ name }) => name === SERVED)!, name: 'other' }
  const exports = Object.fromEntries(Object.entries(loops).map(([name, loop]) => [trialName(name), loop]))
  // A hash of its own: trials are remembered by it.
  const altered = { ...manifest, kernels: [...manifest.kernels, other], sha256: `${Math.random()}` }
  return new Kernels(altered, { exports: { ...exports, memory } } as unknown as WebAssembly.Instance)
}

/** Runs `work` with a clock of that tick that `pass` moves on, and a look at it by a tenth of a microsecond. */
async function withClock(tick: number, work: (pass: (ms: number) => void) => Promise<void>): Promise<void> {
  const { now } = performance
  let time = 0
  performance.now = () => {
    time += 1e-4
    return tick * Math.floor(time / tick)
  }
  try {
    await work((ms) => {
      time += ms
    })
  } finally {
    performance.now = now
  }
}

for (const tick of [1e-4, 0.1, 1]) {
  test(`of variants with the same bits a later one serves where its loop is as fast, on a clock of ${tick} ms`, async () => {
    await withClock(tick, async (pass) => {
      for (const [ms, chosen] of [
        [0.008, 'other'],
        [0.01, 'other'],
        [0.013, SERVED],
        [0.02, SERVED],
      ] as const) {
        const kernels = await withLoops({ [SERVED]: () => pass(0.01), other: () => pass(ms) })
        const start = performance.now()
        chooseVariants(kernels)
        assert.ok(performance.now() - start < 20, `a trial must end within 20 ms, took ${performance.now() - start}`)
        assert.is(kernels.entry(TERNARY, true).name, chosen, `${ms} beside 0.01`)
        const [{ family, microseconds }] = kernels.trials
        assert.is(family, TERNARY)
        assert.is(microseconds[0][0], chosen)
        const times = new Map(microseconds)
        for (const [name, want] of [
          [SERVED, 10],
          ['other', 1000 * ms],
        ] as const) {
          const time = times.get(name)!
          assert.ok(Math.abs(time / want - 1) < 0.1, `${name} took ${time} us, must be near ${want}`)
        }
      }
    })
  })
}

test('a variant that waits for other processes now and then is not passed over, nor taken for that of the first', async () => {
  await withClock(1e-4, async (pass) => {
    let calls = 0
    const waiting = (ms: number) => () => pass(++calls % 20 === 0 ? 0.5 : ms)
    const faster = await withLoops({ [SERVED]: () => pass(0.01), other: waiting(0.008) })
    chooseVariants(faster)
    assert.is(faster.entry(TERNARY, true).name, 'other')
    const slower = await withLoops({ [SERVED]: waiting(0.01), other: () => pass(0.02) })
    chooseVariants(slower)
    assert.is(slower.entry(TERNARY, true).name, SERVED)
  })
})

test('variants are not tried where one has no loop, nor those of families that nobody calls', async () => {
  const loop = () => {
    throw new Error('must not run')
  }
  for (const [loops, families] of [
    [{ other: loop }, undefined],
    [{ [SERVED]: loop, other: loop }, new Set(['matmul_nt__f32'])],
  ] as const) {
    const kernels = await withLoops(loops)
    chooseVariants(kernels, families)
    assert.equal([kernels.trials, kernels.entry(TERNARY, true).name], [[], SERVED])
  }
})

test('a process tries the variants of a module once', async () => {
  let calls = 0
  const first = await withLoops({ [SERVED]: () => calls++, other: () => calls++ })
  chooseVariants(first)
  const before = calls
  assert.ok(before > 0)
  const again = new Kernels(first.manifest, { exports: { memory: first.memory } } as unknown as WebAssembly.Instance)
  chooseVariants(again)
  assert.is(calls, before)
  assert.equal(again.trials, first.trials)
  assert.is(again.entry(TERNARY, true), first.entry(TERNARY, true))
})

test('every module can try the families of which it has several variants', async () => {
  for (const kernels of await builtKernels()) {
    const families = new Set(kernels.manifest.kernels.map(({ family }) => family))
    for (const family of families) {
      const variants = kernels.variants(family)
      if (variants.length === 1) continue
      for (const variant of variants) {
        const loop = kernels.trialLoop(variant)
        assert.ok(loop, `${variant.name} must have a trial loop`)
        loop(1)
      }
    }
    chooseVariants(kernels)
    const from = kernels.manifest.heapBase
    assert.ok(kernels.view('u8', from, kernels.memory.buffer.byteLength - from).every((byte) => byte === 0))
  }
})

test.run()
