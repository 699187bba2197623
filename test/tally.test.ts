/**
 * The test runner must not take silence for success: known ways in which a test file says nothing and exits with 0.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { forgottenSuites, tally } from './tally.ts'

const SOURCE = "import { test } from 'uvu'\ntest('a', () => {})\ntest.run()\n"
const printed = (total: number, passed: number, skipped = 0) =>
  `• •   (${passed} / ${total})\n\n  Total:     ${total}\n  Passed:    ${passed}\n  Skipped:   ${skipped}\n  Duration:  1.00ms\n\n`

test('counts passed, failed and skipped tests', () => {
  assert.equal(tally(SOURCE, printed(5, 5, 1), 0), { passed: 5, failed: 0, skipped: 1 })
  assert.equal(tally(SOURCE, printed(5, 3), 1), { passed: 3, failed: 2, skipped: 0 })
})

test('a file that ran nothing, crashed or was killed is a failure', () => {
  assert.equal(tally(SOURCE, printed(0, 0), 0).failed, 1)
  assert.equal(tally(SOURCE, 'RuntimeError: memory access out of bounds', 1).failed, 1)
  assert.equal(tally(SOURCE, '', 0).failed, 1)
  assert.equal(tally(SOURCE, printed(2, 2), null).failed, 1)
  assert.equal(tally(SOURCE, printed(2, 2), 1).failed, 1)
})

test('a suite that is never started is a failure, also beside one that is', () => {
  const source = `${SOURCE}const other = suite('other')\nother('b', () => {})\n`
  assert.equal(forgottenSuites(source), ['other'])
  assert.equal(forgottenSuites(`${source}other.run()\n`), [])
  assert.match(tally(source, printed(1, 1), 0).problem!, 'other.run()')
  assert.equal(forgottenSuites("import { test } from 'uvu'\ntest('a', () => {})\n"), ['test'])
})

test.run()
