/**
 * The sparse gradient of the vocabulary table over two steps: marked rows hold the sum or zero, others are not
 * written, and marks stay between runs. On every instruction set.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Builder } from '../src/graph/builder.ts'
import { embedding, embeddingOp, markTouched } from '../src/ops/embedding.ts'
import { interpret } from '../src/plan/interpret.ts'
import { lower } from '../src/plan/lower.ts'
import { Executor } from '../src/runtime/execute.ts'
import { builtKernels } from './support/kernels.ts'

const [V, C] = [6, 5]
const UNWRITTEN = -77

/** ids [3] -> dtable, with marks. */
function graph() {
  const b = new Builder('sparse')
  const table = b.parameter('table', [V, C])
  const ids = b.input('ids', [3], 'i32')
  const y = embedding(b, table, ids, markTouched(b, b.state('touched', [V], 'u8'), ids))
  const [dtable] = embeddingOp.grad!(b, y.node!, [b.input('dy', [3, C])], [true, false, false])
  b.output('y', y)
  b.output('dtable', dtable!)
  return b.graph
}

for (const kernels of await builtKernels()) {
  test(`only marked rows are written on ${kernels.manifest.isa}`, () => {
    const plan = lower(graph(), { symbols: {}, deterministic: true })
    const executor = new Executor(kernels, [plan])
    const table = Float32Array.from({ length: V * C }, (_, i) => i)
    executor.tensor('table').set(table)
    executor.tensor('touched').fill(0)
    const steps = [
      { ids: [4, 1, 4], dy: Array.from({ length: 3 * C }, (_, i) => i + 1) },
      { ids: [0, 0, 1], dy: Array.from({ length: 3 * C }, (_, i) => i / 4) },
    ]
    let touched = new Array<number>(V).fill(0)
    for (const step of steps) {
      executor.io('sparse', 'dtable').fill(UNWRITTEN)
      executor.io('sparse', 'ids').set(step.ids)
      executor.io('sparse', 'dy').set(step.dy)
      const want = interpret(graph(), { table, touched, ...step })
      executor.run('sparse')
      touched = Array.from(want['state.touched'].data)
      assert.equal(Array.from(executor.tensor('touched')), touched)
      assert.equal(Array.from(executor.io('sparse', 'y')), Array.from(want.y.data))
      const dtable = executor.io('sparse', 'dtable')
      want.dtable.data.forEach((w, i) => assert.is(dtable[i], touched[Math.floor(i / C)] ? w : UNWRITTEN))
    }
    assert.equal(touched, [1, 1, 0, 0, 1, 0])
  })
}

test.run()
