/**
 * Centring: a projection computed here gives, after it, outputs of mean zero and spread .5. That a new run is centred
 * on its own samples is in train.test.ts.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Stream } from '../src/base/rng.ts'
import { centreProjection } from '../src/train/centre.ts'

const [N, K, C] = [200, 7, 5]

/** y = W x + b for rows x [n,K]. */
function project(x: Float32Array, weight: Float32Array, bias: Float32Array): Float32Array {
  return Float32Array.from({ length: N * C }, (_, at) => {
    const [i, c] = [Math.floor(at / C), at % C]
    let sum = bias[c]
    for (let k = 0; k < K; k++) sum += weight[c * K + k] * x[i * K + k]
    return sum
  })
}

/** Mean of every component, and the root mean square about them. */
function moments(y: Float32Array): { means: number[]; spread: number } {
  const means = Array.from({ length: C }, (_, c) => y.reduce((sum, v, i) => sum + (i % C === c ? v : 0), 0) / N)
  const squares = y.reduce((sum, v, i) => sum + (v - means[i % C]) ** 2, 0)
  return { means, spread: Math.sqrt(squares / y.length) }
}

test('outputs have mean zero and spread .5, and keep their directions', () => {
  const stream = new Stream(1, 2, 3, 4)
  const draw = (n: number, shift: number) => Float32Array.from({ length: n }, () => shift + stream.normal())
  // A common direction ten times the rest, as features have at the start.
  const [x, weight, bias] = [draw(N * K, 10), draw(C * K, 0.5), draw(C, 3)]
  const before = project(x, weight, bias)
  const original = weight.slice()
  centreProjection(before, weight, bias)
  const after = project(x, weight, bias)
  const { means, spread } = moments(after)
  for (const mean of means) assert.ok(Math.abs(mean) < 1e-5, `${mean}`)
  assert.ok(Math.abs(spread - 0.5) < 1e-5, `${spread}`)
  const factor = weight[0] / original[0]
  weight.forEach((w, i) => assert.ok(Math.abs(w - factor * original[i]) < 1e-6))
})

test('outputs that are all alike are no division by zero', () => {
  const [weight, bias] = [new Float32Array(C * K), Float32Array.of(1, 2, 3, 4, 5)]
  centreProjection(project(new Float32Array(N * K), weight, bias), weight, bias)
  assert.ok([...weight, ...bias].every(Number.isFinite))
})

test.run()
