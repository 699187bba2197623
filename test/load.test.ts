/** The choice of a kernel module: the best that works, what falls back, and how a forced target fails. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ISAS, type Isa, type KernelEntry, type Manifest } from '../src/abi.ts'
import { Executor } from '../src/runtime/execute.ts'
import { KERNELS } from '../src/kernels.ts'
import { checkAnswers } from '../src/runtime/known-answers.ts'
import { Kernels } from '../src/runtime/kernels.ts'
import { loadKernels, type KernelSource } from '../src/runtime/load.ts'
import { builtKernels, builtModule } from './support/kernels.ts'

const sources = KERNELS
const usable = (await builtKernels()).map(({ manifest }) => manifest.isa)
const best = usable.at(-1)!

type Loaded = Awaited<ReturnType<KernelSource['load']>>

/** The sources with the module of some instruction sets changed. */
function changed(isas: readonly Isa[], change: (loaded: Loaded) => Loaded): KernelSource[] {
  return sources.map(({ isa, load }) => ({
    isa,
    load: async () => (isas.includes(isa) ? change(await load()) : load()),
  }))
}

const wrongAnswer = ({ wasm, manifest }: Loaded): Loaded => {
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

test('when no module works, every reason is named', async () => {
  const text = await thrown(() => loadKernels({ sources: changed(ISAS, wrongAnswer) }))
  for (const isa of ISAS) assert.ok(text.includes(`${isa}: `), `${text} must name ${isa}`)
})

test('a variant that is not deterministic is held to a tolerance', async () => {
  const { manifest, memory, ...module } = await builtModule('simd128')
  const entry = manifest.kernels.find(({ family }) => family === 'matmul_nt__f32')!
  const other: KernelEntry = { ...entry, name: 'other', deterministic: false }
  const exports = (module as unknown as { exports: WebAssembly.Exports }).exports
  const run = exports[entry.name] as (...args: number[]) => void
  const withError = (error: number) => {
    const disturbed = (...args: number[]) => {
      run(...args)
      new Float32Array(memory.buffer, args[3], 1)[0] += error
    }
    const altered: Manifest = { ...manifest, kernels: [other, ...manifest.kernels] }
    return checkAnswers(new Kernels(altered, { exports: { ...exports, other: disturbed, memory } }))
  }
  assert.is(withError(1e-6), undefined)
  assert.is(withError(1), 'wrong result of other')
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
    calls: [{ k: 'sum_columns__f32', a: [beyond, beyond, 1, 1] }],
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
