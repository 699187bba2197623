/**
 * The list of kernels is complete, their names follow one pattern, and a change of a template shows: the start of one
 * generated source each lies in golden/templates/ (renewed with UPDATE_GOLDEN=1).
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ISAS } from '../src/abi.ts'
import { emitKernels, exportsOf } from '../codegen/emit-kernels.ts'
import { HAND_WRITTEN, TEMPLATES, TRAINING_FAMILIES } from '../codegen/registry.ts'
import { inferenceGraphs } from '../src/model/bitgen.ts'
import { modelConfig } from '../src/model/config.ts'
import { lower } from '../src/plan/lower.ts'

const ROOT = join(import.meta.dirname, '..')
const KERNELS = join(ROOT, 'assembly/kernels')
const read = (name: string) => readFileSync(join(KERNELS, `${name}.ts`), 'utf8')
const GOLDEN_LINES = 40

test('every file of assembly/kernels is listed once, and every name has a file', () => {
  const files = readdirSync(KERNELS).map((file) => file.replace(/\.ts$/, ''))
  assert.equal([...HAND_WRITTEN].sort(), files.sort())
})

test('kernel names: family__tile__isa_trick', () => {
  const types = '(f32|f64|i32|i8|u8|t2)'
  for (const isa of ISAS) {
    const pattern = new RegExp(`^[a-z][a-z0-9_]*?__${types}(_${types})*(__m\\d+n\\d+)?__${isa}(_[a-z]+)?$`)
    for (const { name, family } of emitKernels(isa, read).kernels) {
      assert.match(name, pattern)
      assert.ok(name.startsWith(`${family}__`), name)
    }
  }
})

test('every family is in every module, with the same parameters and a deterministic kernel', () => {
  const [scalar, ...others] = ISAS.map((isa) => emitKernels(isa, read).kernels)
  for (const { family, params } of scalar) {
    for (const kernels of others) {
      const same = kernels.filter((kernel) => kernel.family === family)
      assert.ok(
        same.some(({ deterministic }) => deterministic),
        family,
      )
      for (const kernel of same) assert.equal(kernel.params, params, kernel.name)
    }
  }
  for (const kernels of others) assert.is(new Set(kernels.map(({ family }) => family)).size, scalar.length)
})

test('kernels that ask for their share of the work run on all threads, and only they', () => {
  const source = `
function split(n: i32): void {
  first = firstOf(n)
}

export function own__f32(n: i32): void {
  for (let i = firstOf(n); i < endOf(n); i++) work(i)
}

export function helped__f32(n: i32): void {
  split(n)
}

export function alone__f32(n: i32): void {
  work(n)
}
`
  const parallel = exportsOf(source, 'source').map((kernel) => [kernel.family, kernel.parallel])
  assert.equal(Object.fromEntries(parallel), { own__f32: true, helped__f32: true, alone__f32: false })
})

/** Called for pictures, and in the place of f32 matrices and tables that an export has rounded to int8. */
const BESIDE_PLANS = ['resize_bilinear__u8', 'normalize_pixels__u8', 'matmul_nt__f32_i8', 'embedding__i8']

test('modules for inference have the families that plans of model files call, and no others', () => {
  const called = new Set(BESIDE_PLANS)
  const symbols = { B: 8, T: 16, L: 15, N: 16 }
  for (const preset of ['tiny', 'nano'] as const) {
    for (const linear of ['ternary', 'int8', 'f32'] as const) {
      for (const published of [true, false]) {
        const config = modelConfig(preset, {
          matchSimilarity: !published,
          textPool: published ? 'first' : 'mean',
          imagePool: published ? 'mean' : 'grid',
          vision: { linear, stemLinear: linear },
        })
        const plans = inferenceGraphs(config).map((graph) =>
          lower(graph, { symbols, deterministic: true, part: 'run' }),
        )
        for (const { k } of plans.flatMap(({ calls }) => calls)) called.add(k)
      }
    }
  }
  const families = new Set(emitKernels('scalar', read).kernels.map(({ family }) => family))
  for (const family of TRAINING_FAMILIES) assert.ok(families.delete(family), `${family} must be a kernel`)
  assert.equal([...families].sort(), [...called].sort())
})

for (const { file, isa, source } of TEMPLATES) {
  const name = `${file}_${isa}`
  test(`template ${name}`, () => {
    const got = `${source((family) => family)
      .trim()
      .split('\n')
      .slice(0, GOLDEN_LINES)
      .join('\n')}\n`
    const path = join(ROOT, 'test/golden/templates', `${name}.txt`)
    if (process.env.UPDATE_GOLDEN) writeFileSync(path, got)
    assert.is(got, readFileSync(path, 'utf8'), `${path} must be what the template gives`)
  })
}

test.run()
