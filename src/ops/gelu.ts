/**
 * Gaussian error linear unit, the exact form with erf (Hendrycks & Gimpel, arXiv 1606.08415).
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { erf, exp } from '../base/math.ts'
import { elements, given, like } from './shared.ts'

/**
 * y = x * Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2
 * in   x [...] f32
 * out  y [...] f32
 * grad dx = dy * (Phi(x) + x * phi(x)), phi the normal density
 */
export const geluOp: Op = {
  name: 'gelu',
  infer: (inputs) => [like(given(inputs, 0, 'gelu'))],
  reference([x], [y]) {
    y.data.forEach((_, i) => (y.data[i] = x!.data[i] * phi(x!.data[i])))
  },
  grad: (b, { inputs: [x] }, [dy]) => [b.apply(geluGradOp, [dy, x])[0]],
  lower({ inputs: [x], outputs: [y] }, to) {
    to.call('gelu__f32', to.at(x), to.at(y), elements(y))
  },
  cases: [1, 4, 7, 130].map((n) => ({ name: `n${n}`, inputs: [{ shape: [n] }] })),
}

const geluGradOp: Op = {
  name: 'gelu_grad',
  infer: (inputs) => [like(given(inputs, 1, 'gelu_grad'))],
  reference([dy, x], [dx]) {
    dx.data.forEach((_, i) => {
      const z = x!.data[i]
      dx.data[i] = dy!.data[i] * (phi(z) + (z * exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI))
    })
  },
  lower({ inputs: [dy, x], outputs: [dx] }, to) {
    to.call('gelu_grad__f32', to.at(dy), to.at(x), to.at(dx), elements(dx))
  },
  cases: [],
}

/** The normal distribution function. */
function phi(x: number): number {
  return (1 + erf(x / Math.SQRT2)) / 2
}

export function gelu(b: Builder, x: Value): Value {
  return b.apply(geluOp, [x])[0]
}
