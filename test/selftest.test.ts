/**
 * The self-test: one digest on every kernel module, stated by the model file, and another one where a weight or a kernel
 * gives other bits.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ISAS } from '../src/abi.ts'
import { BitGen } from '../src/index.ts'
import { selfTest } from '../src/runtime/self-test.ts'
import { Session } from '../src/runtime/session.ts'
import { KERNELS } from '../src/kernels.ts'
import { microModel } from './support/micro-model.ts'

const bytes = await microModel()

test('every module that works here comes to the digest of the model file', async () => {
  const { digest, expected } = await (await BitGen.load(bytes)).selfTest()
  assert.match(String(expected), /^[0-9a-f]{64}$/)
  assert.is(digest, expected)
  for (const target of ISAS.slice(0, 2)) {
    assert.is((await (await BitGen.load(bytes, { target })).selfTest()).digest, expected, target)
  }
})

test('the last bit of a single weight changes it, of any part of the model', async () => {
  const session = await Session.open(bytes, { sources: KERNELS })
  const want = await selfTest(session)
  for (const name of [
    'text.norm.weight',
    'fusion.norm.weight',
    'itm.head.bias',
    'memory.norm.bias',
    'itc.image_proj.bias',
  ]) {
    const weight = session.executor.tensor(name) as Float32Array
    const [before] = weight
    weight[0] = before * (1 + 2 ** -10) + 2 ** -10
    assert.is.not(await selfTest(session), want, name)
    weight[0] = before
  }
  assert.is(await selfTest(session), want)
})

test.run()
