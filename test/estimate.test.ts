/**
 * Costs of a graph small enough to count by hand, and memory of its plan against what the executor lays out.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Builder } from '../src/graph/builder.ts'
import { add } from '../src/ops/add.ts'
import { matmul } from '../src/ops/matmul.ts'
import { estimate, planMemory } from '../src/plan/estimate.ts'
import { lower } from '../src/plan/lower.ts'
import { Executor } from '../src/runtime/execute.ts'
import { builtModule } from './support/kernels.ts'

/** y = x W^T + x W^T with x [B, 8] and W [6, 8]; the equal products are one node. */
function graph() {
  const b = new Builder('small')
  const [x, W] = [b.input('x', ['B', 8]), b.parameter('W', [6, 8])]
  b.parameter('unused', [100])
  b.output('y', add(b, matmul(b, x, W), matmul(b, x, W)))
  return b.graph
}

test('counts multiply-accumulates, bytes and parameters', () => {
  const { ops, macs, bytes, parameters } = estimate(graph(), { B: 5 })
  assert.is(macs, 5 * 6 * 8)
  assert.is(parameters, 48)
  assert.equal([...ops.keys()], ['matmul', 'add'])
  assert.equal(ops.get('matmul'), { nodes: 1, macs: 240, bytes: 4 * (5 * 8 + 6 * 8 + 5 * 6) })
  assert.is(bytes, 4 * (118 + 60))
})

test('memory of a plan is what the executor reserves', async () => {
  const plan = lower(graph(), { symbols: { B: 5 }, deterministic: true })
  const { kernels, ...use } = new Executor(await builtModule('scalar'), [plan]).memoryUse
  const memory = planMemory(plan)
  assert.equal({ ...use, total: use.total - kernels }, memory)
  assert.ok(memory.state >= 48 * 4 && memory.arena >= 5 * 8 * 4)
})

test.run()
