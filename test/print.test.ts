/** A plan as text, against lines written by hand. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Builder } from '../src/graph/builder.ts'
import { add } from '../src/ops/add.ts'
import { lower } from '../src/plan/lower.ts'
import { printPlan } from '../src/plan/print.ts'

test('one line a buffer, one line a call', () => {
  const b = new Builder('sum')
  b.output('y', add(b, b.input('x', ['B', 4]), b.parameter('w', ['B', 4])))
  const plan = lower(b.graph, { symbols: { B: 2 }, deterministic: true })
  assert.equal(printPlan(plan).split('\n'), [
    'plan sum (B<=2) deterministic',
    '  x: io f32[B, 4] 32 bytes @0',
    '  w: state f32[B, 4] 32 bytes',
    '  y: io f32[B, 4] 32 bytes @64',
    '  add__f32(x, w, y, 4*B)',
    '',
  ])
})

test.run()
