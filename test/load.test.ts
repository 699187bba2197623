/** The choice of a kernel module: the best that works, what falls back, and how a forced target fails. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ISAS, type Isa, type KernelEntry, type Manifest } from '../src/abi.ts'
import { Executor } from '../src/runtime/execute.ts'
import { KERNELS } from '../src/kernels.ts'
import { TRAINING_KERNELS } from '../src/training-kernels.ts'
import { checkAnswers } from '../src/runtime/known-answers.ts'
import { Kernels } from '../src/runtime/kernels.ts'
import { loadAhead, loadKernels, type KernelCode, type KernelSource } from '../src/runtime/load.ts'
import { Session } from '../src/runtime/session.ts'
import { builtKernels, builtModule } from './support/kernels.ts'
import { microModel } from './support/micro-model.ts'

const sources = TRAINING_KERNELS
const usable = (await builtKernels()).map(({ manifest }) => manifest.isa)
const best = usable.at(-1)!
const bytes = await microModel()

/** The sources with the module of some instruction sets changed. */
function changed(isas: readonly Isa[], change: (loaded: KernelCode) => KernelCode): KernelSource[] {
  return sources.map(({ isa, load }) => ({
    isa,
    load: async () => (isas.includes(isa) ? change(await load()) : load()),
  }))
}

const wrongAnswer = ({ wasm, manifest }: KernelCode): KernelCode => {
  const [first, ...rest] = manifest.answers
  return { wasm, manifest: { ...manifest, answers: [{ ...first, digest: first.digest ^ 1 }, ...rest] } }
}

async function thrown(run: () => Promise<unknown>): Promise<string> {
  try {
    await run()
  } catch (error) {
    return String(error)
  }
  throw new Error('must throw')
}

test('the best module that the engine accepts is taken, its memory zeroed', async () => {
  const lines: string[] = []
  const kernels = await loadKernels({ sources, log: (line) => lines.push(line) })
  assert.is(kernels.manifest.isa, best)
  assert.is(lines.at(-1), `kernels: ${best}`)
  const from = kernels.manifest.heapBase
  assert.ok(kernels.view('u8', from, kernels.memory.buffer.byteLength - from).every((byte) => byte === 0))
})

test('a module that computes wrongly gives way to the next', async () => {
  const lines: string[] = []
  const kernels = await loadKernels({ sources: changed([best], wrongAnswer), log: (line) => lines.push(line) })
  assert.is(kernels.manifest.isa, usable.at(-2))
  assert.ok(lines.some((line) => line.startsWith(`kernels: not ${best}: wrong result of `)))
})

test('a cut module, a missing export and a missing source give way too', async () => {
  const cut = changed([best], ({ wasm, manifest }) => ({ wasm: wasm.slice(0, -100), manifest }))
  assert.is((await loadKernels({ sources: cut })).manifest.isa, usable.at(-2))
  const renamed = changed([best], ({ wasm, manifest }) => {
    const kernels = manifest.kernels.map((kernel): KernelEntry => ({ ...kernel, name: `${kernel.name}_x` }))
    return { wasm, manifest: { ...manifest, kernels } }
  })
  assert.is((await loadKernels({ sources: renamed })).manifest.isa, usable.at(-2))
  const scalarOnly = sources.filter(({ isa }) => isa === 'scalar')
  assert.is((await loadKernels({ sources: scalarOnly })).manifest.isa, 'scalar')
})

test('a forced target is taken, or its failure said', async () => {
  for (const target of usable) assert.is((await loadKernels({ sources, target })).manifest.isa, target)
  const wrong = await thrown(() => loadKernels({ sources: changed(['scalar'], wrongAnswer), target: 'scalar' }))
  assert.match(wrong, /^Error: loadKernels: scalar must work on this engine, got scalar: wrong result of /)
  const unknown = await thrown(() => loadKernels({ sources, target: 'avx' as Isa }))
  assert.match(unknown, /^RangeError: target: must be one of scalar, simd128, relaxed, got "avx"/)
})

test('BITGEN_TARGET forces a target; the option goes before it', async () => {
  const before = process.env.BITGEN_TARGET
  try {
    process.env.BITGEN_TARGET = 'scalar'
    assert.is((await loadKernels({ sources })).manifest.isa, 'scalar')
    assert.is((await loadKernels({ sources, target: 'simd128' })).manifest.isa, 'simd128')
  } finally {
    if (before === undefined) delete process.env.BITGEN_TARGET
    else process.env.BITGEN_TARGET = before
  }
})

test('kernels are chosen ahead of a model, for one thread, and their failure is told where they are awaited', async () => {
  const asked: Isa[] = []
  const counting = sources.map(({ isa, load }) => ({ isa, load: () => (asked.push(isa), load()) }))
  const { ahead } = loadAhead({ sources: counting })
  assert.equal(asked, [best])
  assert.is((await ahead)!.manifest.isa, best)
  loadAhead({ sources: counting, target: 'scalar', threads: 1 })
  assert.equal(asked, [best, 'scalar'])
  assert.is(loadAhead({ sources: counting, threads: 2 }).ahead, undefined)
  assert.equal(asked, [best, 'scalar'])
  const failing = loadAhead({ sources: [{ isa: 'scalar', load: () => Promise.reject(new Error('gone')) }] })
  await new Promise((resolve) => setTimeout(resolve))
  assert.match(await thrown(() => failing.ahead!), /scalar: gone/)
  assert.throws(() => loadAhead({ sources: counting, target: 'avx' as Isa }), /^target: must be one of/)
})

test('a model runs on the kernels that were chosen ahead, unless it is worth several threads', async () => {
  const options = loadAhead({ sources: KERNELS })
  const { executor } = await Session.open(bytes, options)
  assert.is(executor.kernels, await options.ahead)
  const other = await Session.open(bytes, { ...loadAhead({ sources: KERNELS }), threads: 2 })
  assert.is(other.executor.kernels.team?.threads, 2)
  other.executor.close()
})

test('when no module works, every reason is named', async () => {
  const text = await thrown(() => loadKernels({ sources: changed(ISAS, wrongAnswer) }))
  for (const isa of ISAS) assert.ok(text.includes(`${isa}: `), `${text} must name ${isa}`)
})

type Run = (...args: number[]) => void

/** A module of simd128 kernels in which a family has another variant `other`; `own` wraps the one that it has. */
async function withVariant(
  family: string,
  deterministic: boolean,
  place: 'before' | 'behind',
  other: (run: Run, memory: WebAssembly.Memory) => Run,
  own: (run: Run) => Run = (run) => run,
): Promise<Kernels> {
  const { manifest, memory, ...module } = await builtModule('simd128')
  const entry = manifest.kernels.find((one) => one.family === family)!
  const added: KernelEntry = { ...entry, name: 'other', deterministic }
  const exports = (module as unknown as { exports: WebAssembly.Exports }).exports
  const run = exports[entry.name] as Run
  const kernels = place === 'before' ? [added, ...manifest.kernels] : [...manifest.kernels, added]
  const altered: Manifest = { ...manifest, kernels }
  return new Kernels(altered, {
    exports: { ...exports, [entry.name]: own(run), other: other(run, memory), memory },
  } as WebAssembly.Instance)
}

const PRODUCT = 'matmul_nt__f32'
const TERNARY = 'matmul_nt__i8_t2'
/** The address of the output among the arguments of both. */
const outputOf = { [PRODUCT]: 3, [TERNARY]: 6 }

const disturbed =
  (family: keyof typeof outputOf, error: number) =>
  (run: Run, memory: WebAssembly.Memory): Run =>
  (...args) => {
    run(...args)
    new Float32Array(memory.buffer, args[outputOf[family]], 1)[0] += error
  }

test('a variant that is not deterministic is held to a tolerance', async () => {
  for (const [error, failed] of [
    [1e-6, []],
    [1, ['other']],
  ] as const) {
    const kernels = await withVariant(PRODUCT, false, 'before', disturbed(PRODUCT, error))
    assert.is(checkAnswers(kernels), undefined)
    assert.equal([...kernels.struckOut.keys()], failed)
    const serves = kernels.entry(PRODUCT, false)
    assert.is(serves.name === 'other', failed.length === 0)
  }
})

test('a variant that computes wrongly or traps is struck out, the module stays', async () => {
  const traps = () => () => {
    throw new WebAssembly.RuntimeError('unreachable')
  }
  for (const place of ['before', 'behind'] as const) {
    for (const other of [disturbed(TERNARY, 1e-3), traps]) {
      const kernels = await withVariant(TERNARY, true, place, other)
      assert.is(checkAnswers(kernels), undefined)
      assert.equal([...kernels.struckOut.keys()], ['other'])
      assert.is(kernels.entry(TERNARY, true).name, 'matmul_nt__i8_t2__m4n16__simd128')
      assert.equal(kernels.variants(TERNARY).length, 1)
    }
  }
})

test('a module whose family has no variant left is refused', async () => {
  const kernels = await withVariant(TERNARY, true, 'behind', disturbed(TERNARY, 1e-3))
  kernels.strikeOut(kernels.entry(TERNARY, true), 'for this test')
  assert.match(checkAnswers(kernels)!, /^wrong result of quantize_rows__f32, matmul_nt__i8_t2/)
})

test('without a trial the order of the target holds', async () => {
  const kernels = await loadKernels({ sources, target: best, trial: false })
  const { manifest, trials } = kernels
  assert.equal(trials, [])
  assert.is(
    kernels.entry(TERNARY, true),
    manifest.kernels.find(({ family }) => family === TERNARY),
  )
})

test('answers cover every family of every module', async () => {
  for (const { load } of sources) {
    const { manifest } = await load()
    const called = new Set(manifest.answers.flatMap(({ calls }) => calls.map(([family]) => family)))
    for (const { family } of manifest.kernels) assert.ok(called.has(family), family)
  }
})

test('after a trap an executor refuses to run', async () => {
  const kernels = await builtModule('scalar')
  const beyond = 2 ** 31
  const plan = {
    name: 'trap',
    deterministic: true,
    symbols: {},
    buffers: [],
    calls: [{ k: 'sum_rows__f32', a: [beyond, beyond, 1, 1, 1] }],
    inputs: [],
    outputs: [],
  }
  const executor = new Executor(kernels, [plan])
  assert.throws(
    () => executor.run('trap'),
    (error: unknown) => error instanceof WebAssembly.RuntimeError,
  )
  assert.throws(() => executor.run('trap'), /^plan trap: kernels must not have trapped, got /)
})

test.run()
