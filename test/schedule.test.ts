/**
 * Learning rates against those of the reference implementation (golden train_micro.safetensors, schedule.*, float64),
 * and the switch that ends weight decay.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { learningRate, weightDecay, type Schedule } from '../src/train/schedule.ts'

const CARD: Schedule = { rate: 2e-4, warmup: 1000, steps: 10_000, floor: 0.1, weightDecay: 0.02, decayUntil: 1 }
const BITNET: Schedule = { ...CARD, rate: 1e-3, decayUntil: 0.5 }

/** schedule.step, schedule.lr_card, schedule.lr_bitnet. */
const GOLDEN = [
  [1, 2.0000000000000002e-7, 1e-6],
  [500, 0.0001, 0.0005],
  [1000, 0.0002, 0.001],
  [1001, 0.0001999999945168865, 0.0009999999725844326],
  [3250, 0.00017363961030678927, 0.0008681980515339464],
  [5500, 0.00011000000000000002, 0.00055],
  [7750, 0.00004636038969321073, 0.00023180194846605365],
  [10_000, 0.00002, 0.0001],
]

test('rates of both schedules are those of the reference', () => {
  for (const [step, card, bitnet] of GOLDEN) {
    for (const [got, want] of [
      [learningRate(CARD, step), card],
      [learningRate(BITNET, step), bitnet],
    ])
      assert.ok(Math.abs(got - want) <= 1e-14, `step ${step}: ${got} must be ${want}`)
  }
})

test('without warmup the first step is near the peak; a run of one step has a rate', () => {
  const rate = learningRate({ ...CARD, warmup: 0 }, 1)
  assert.ok(rate < CARD.rate && rate > 0.9999 * CARD.rate, `${rate}`)
  assert.ok(learningRate({ ...CARD, warmup: 0, steps: 1 }, 1) > 0)
  // Warmup longer than the run: the ramp is cut, not squeezed.
  assert.is(learningRate({ ...CARD, warmup: 1000, steps: 10 }, 10), 2e-6)
})

test('weight decay ends with its share of the steps', () => {
  assert.equal(
    [1, 10_000].map((step) => weightDecay(CARD, step)),
    [0.02, 0.02],
  )
  assert.equal(
    [1, 5000, 5001, 10_000].map((step) => weightDecay(BITNET, step)),
    [0.02, 0.02, 0, 0],
  )
})

test.run()
