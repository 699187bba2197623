/**
 * Centring before step 1 (model.md section 5): the two projections start with outputs of mean zero and of spread .5
 * over the first samples. Otherwise all features share one large common direction.
 */
const SPREAD = 0.5

/**
 * Changes weight [C,K] and bias [C] in place, given the outputs [n,C] that they gave: bias becomes minus the mean of
 * each component, then both are scaled so that the root mean square about the mean is .5.
 */
export function centreProjection(outputs: Float32Array, weight: Float32Array, bias: Float32Array): void {
  const C = bias.length
  const n = outputs.length / C
  const mean = new Float64Array(C)
  outputs.forEach((y, i) => (mean[i % C] += y / n))
  let squares = 0
  outputs.forEach((y, i) => (squares += (y - mean[i % C]) ** 2))
  const scale = SPREAD / Math.max(Math.sqrt(squares / outputs.length), 1e-12)
  weight.forEach((w, i) => (weight[i] = w * scale))
  bias.forEach((b, c) => (bias[c] = (b - mean[c]) * scale))
}
