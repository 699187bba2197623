/**
 * Interpolated positions against PyTorch's bicubic interpolate (golden/dinov2.safetensors, grid 5x5 to 3x3), by the
 * float64 reference and by the kernels of every instruction set.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Builder } from '../src/graph/builder.ts'
import { readSafetensors } from '../src/io/safetensors.ts'
import { resizePositions } from '../src/ops/resize_positions.ts'
import { interpret } from '../src/plan/interpret.ts'
import { lower } from '../src/plan/lower.ts'
import { Executor } from '../src/runtime/execute.ts'
import { builtKernels } from './support/kernels.ts'

const { tensors } = readSafetensors(readFileSync(join(import.meta.dirname, 'golden/dinov2.safetensors')))
const table = tensors.get('vision.embeddings.position_embeddings')!.data as Float32Array
const want = tensors.get('positions_3x3')!.data as Float32Array

function graph(grid: number) {
  const b = new Builder('positions')
  const stored = b.parameter('table', [1, 26, 64])
  b.output('y', resizePositions(b, stored, grid))
  return b.graph
}

function requireNear(got: ArrayLike<number>): void {
  assert.is(got.length, want.length)
  const error = want.reduce((worst, w, i) => Math.max(worst, Math.abs(got[i] - w)), 0)
  assert.ok(error <= 1e-6, `error ${error} must be <= 1e-6`)
}

test("the reference gives PyTorch's table", () => requireNear(interpret(graph(3), { table }).y.data))

for (const kernels of await builtKernels()) {
  test(`the kernel gives PyTorch's table on ${kernels.manifest.isa}`, () => {
    const executor = new Executor(kernels, [lower(graph(3), { symbols: {}, deterministic: true })])
    executor.tensor('table').set(table)
    executor.run('positions')
    requireNear(executor.io('positions', 'y'))
  })
}

test('a table of the right grid is used as it is', () => assert.is(graph(5).nodes.length, 0))

test.run()
