/**
 * What benches print and how they judge, never how fast anything is: statistics against known values, counts of
 * multiply-accumulates against those of the graph, comparison of runs, bounds of sizes, the JSON of `kernels`.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compareShares, kernelShares, requireNoneWorse, sharesOf } from '../bench/compare.ts'
import type { KernelRow, productsOf } from '../bench/kernels.ts'
import type { Machine } from '../bench/machine.ts'
import { reportPage } from '../bench/report.ts'
import { resultsPath } from '../bench/results.ts'
import { requireBounds } from '../bench/size.ts'
import { summary, timeCalls } from '../bench/timing.ts'
import type { Manifest } from '../src/abi.ts'
import { evaluator, type Symbols } from '../src/base/shape.ts'
import type { Graph } from '../src/graph/graph.ts'
import { encodeImageGraph } from '../src/model/bitgen.ts'
import { modelConfig } from '../src/model/config.ts'
import { estimate } from '../src/plan/estimate.ts'
import { lower } from '../src/plan/lower.ts'
import { macsOf } from '../src/runtime/macs.ts'
import { trainGraphs } from '../src/train/step.ts'

const ROOT = join(import.meta.dirname, '..')
const BENCH = ['--import', 'tsx', join(ROOT, 'bench/main.ts')]

test('median and 95th percentile lie where they are defined to', () => {
  const shuffled = [20, 3, 15, 1, 9, 0, 12, 18, 7, 14, 5, 19, 2, 16, 11, 4, 13, 8, 17, 6, 10]
  assert.equal(summary(shuffled), { min: 0, median: 10, p95: 19 })
  // Between two samples: a half, and 95 hundredths of the way.
  assert.equal(summary([300, 100]), { min: 100, median: 200, p95: 290 })
  assert.equal(summary([7]), { min: 7, median: 7, p95: 7 })
})

test('at least five calls are timed, behind warm ones', async () => {
  let ran = 0
  const { calls, ms } = await timeCalls(() => ran++, { warmMs: 5, sampleMs: 0, samples: 1 })
  assert.ok(calls >= 5 && ran > calls, `${calls} of ${ran}`)
  assert.ok(ms.min <= ms.median && ms.median <= ms.p95)
})

/** Multiply-accumulates of all calls of a plan, from their arguments. */
function macsOfPlan(graph: Graph, symbols: Symbols): number {
  const value = evaluator(symbols)
  return lower(graph, { symbols, deterministic: true }).calls.reduce((sum, call) => sum + macsOf(call, value), 0)
}

test('multiply-accumulates of kernel calls are those of the graph', () => {
  const model = modelConfig('nano', { vocabulary: 60, textLayers: 2, fusionLayers: 1, decoderLayers: 1, slots: 8 })
  const image = encodeImageGraph(model)
  assert.is(macsOfPlan(image, { B: 3 }), estimate(image, { B: 3 }).macs)
  const losses = { itc: 1, itm: 0.5, text: 0.5, memory: 0, imageContrast: 0.5 }
  const options = { losses, concepts: true, queue: 0, negatives: 'batch', episode: 3, labelSmoothing: 0.1 } as const
  const more = { freeze: [], cachedTower: false, joinAt: 0, clip: 1, accumulate: 1 }
  const [step] = trainGraphs(model, { ...options, ...more }, { prefix: '', losses })
  const symbols = { B: 4, T: 5, R: 8 }
  const { ops, macs } = estimate(step, symbols)
  const small = [...ops].filter(([name]) => name.startsWith('memory_episodes')).map(([, cost]) => cost.macs)
  assert.is(
    macsOfPlan(step, symbols),
    small.reduce((left, one) => left - one, macs),
  )
})

const MACHINE: Machine = {
  cpu: 'A <fast> CPU',
  flags: ['avx2'],
  cores: 2,
  memory: 2 ** 30,
  engine: 'Node 24.1.0, V8 13.6',
  threads: 1,
  date: '2026-01-02',
  load: 0.5,
  commit: null,
}

const SECONDS = { min: 1, median: 1, p95: 1 }
const product = (name: string, rate: number, peak: number): KernelRow => {
  const shape = { M: 60, K: 256, N: 128 }
  const held = { name: 'f32x4 madd', rate: peak }
  return { name, target: 'relaxed', shape, rate, unit: 'GMAC/s', peak: held, seconds: SECONDS }
}
const sharesOfRows = (rows: KernelRow[]) =>
  sharesOf({ target: 'relaxed', kernels: { machine: MACHINE, peaks: {}, rows } })

test('a run on a slower clock is no worse, one with a smaller share is', () => {
  const before = sharesOfRows([product('a__f32__m6n8__relaxed', 20, 25), product('b__f32__relaxed', 20, 25)])
  const slower = sharesOfRows([product('a__f32__m6n8__relaxed', 10, 12.5), product('b__f32__relaxed', 9, 12.5)])
  const rows = compareShares(before, slower)
  assert.equal(
    rows.map(({ worse }) => worse),
    [false, false],
  )
  requireNoneWorse(rows)
  const worse = sharesOfRows([product('a__f32__m6n8__relaxed', 20, 30), product('b__f32__relaxed', 20, 25)])
  const compared = compareShares(before, worse)
  assert.equal(
    compared.map((row) => row.worse),
    [true, false],
  )
  assert.throws(() => requireNoneWorse(compared), /must reach 0.85 .* got \["a__f32__relaxed M60 K256 N128"\]/)
})

test('another tile is the same kernel, and rows of one run alone are shown and pass', () => {
  const before = sharesOfRows([product('a__f32__m6n8__relaxed', 20, 25), product('gone__f32__relaxed', 20, 25)])
  const now = sharesOfRows([product('a__f32__m8n8__relaxed', 21, 25), product('new__f32__relaxed', 1, 25)])
  const rows = compareShares(before, now)
  assert.equal(
    rows.map(({ name, before, now }) => [name.split(' ')[0], before, now]),
    [
      ['a__f32__relaxed', 0.8, 0.84],
      ['gone__f32__relaxed', 0.8, null],
      ['new__f32__relaxed', null, 0.04],
    ],
  )
  requireNoneWorse(rows)
  const strangers = compareShares(before.slice(1), now.slice(1))
  assert.throws(() => requireNoneWorse(strangers), /both runs must have a row in common/)
})

test('sizes are bound: what is beyond is named', () => {
  const row = { file: 'relaxed/kernels.wasm', bytes: 90_000, gzip: 30_000, bound: 30_000 }
  requireBounds([row, { file: 'model', bytes: 1e9, gzip: 1e9 }])
  assert.throws(
    () => requireBounds([row, { ...row, gzip: 30_001 }]),
    /^size of relaxed\/kernels.wasm: must be at most 30000 bytes gzipped, got 30001$/,
  )
})

test('results lie by machine, engine and target, and the report shows them as text', () => {
  assert.match(resultsPath(MACHINE, 'relaxed'), /results.a-fast-cpu-node24-relaxed\.json$/)
  const rows = [product('a__f32__m6n8__relaxed', 20, 25)]
  const page = reportPage([{ target: 'relaxed', kernels: { machine: MACHINE, peaks: { copy: 40 }, rows } }])
  assert.match(page, /<h2>A &lt;fast&gt; CPU, Node 24.1.0, relaxed<\/h2>/)
  assert.match(page, /a__f32__m6n8 60 x 256 x 128/)
  assert.match(page, /80 %, 20.0 GMAC\/s of f32x4 madd/)
})

test('kernels --json prints every product of the target beside its peak, and nothing else', () => {
  const args = [...BENCH, 'kernels', '--quick', '--json', '--target', 'simd128']
  const stdout = execFileSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const rows: ReturnType<typeof productsOf> = JSON.parse(stdout)
  for (const row of rows) {
    assert.equal(Object.keys(row), ['name', 'target', 'shape', 'gmacs', 'peak'])
    assert.equal(Object.keys(row.shape), ['M', 'K', 'N'])
    assert.is(row.target, 'simd128')
    for (const n of [...Object.values(row.shape), row.gmacs, row.peak]) assert.ok(Number.isFinite(n) && n > 0, row.name)
  }
  const { kernels }: Manifest = JSON.parse(readFileSync(join(ROOT, 'build/simd128/manifest.json'), 'utf8'))
  const products = kernels.filter(({ family }) => family.startsWith('matmul_')).map(({ name }) => name)
  assert.equal([...new Set(rows.map(({ name }) => name))].sort(), products.sort())
  assert.ok(kernelShares(rows).length >= products.length)
})

test('wrong calls are told in one line', () => {
  const said = (...args: string[]) => {
    const { status, stderr } = spawnSync(process.execPath, [...BENCH, ...args], { cwd: ROOT, encoding: 'utf8' })
    assert.is(status, 1)
    return stderr.trim()
  }
  assert.match(said('none'), /^bench: the first argument must be one of .*kernels.*, got "none"$/)
  assert.match(said('kernels', '--target', 'avx'), /^bench kernels: --target: must be one of scalar, simd128, relaxed/)
  assert.match(said('size', '--model', 'x'), /^bench size: takes --target, .*got "Unknown option '--model'/)
})

test.run()
