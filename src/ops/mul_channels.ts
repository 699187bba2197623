/**
 * A gain for every channel: LayerScale of the vision tower (Touvron et al., arXiv 2103.17239).
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { columns, rows } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given, like } from './shared.ts'

/**
 * y[m,c] = x[m,c] * gain[c]
 * in   x [..., C] f32, gain [C] f32
 * out  y [..., C] f32
 * grad dx = dy * gain, dgain = sum of dy * x over rows
 */
export const mulChannelsOp: Op = {
  name: 'mul_channels',
  infer(inputs) {
    const x = given(inputs, 0, 'mul_channels')
    const gain = given(inputs, 1, 'mul_channels')
    const C = columns(x.shape)
    requireThat(
      gain.shape.length === 1 && gain.shape[0] === C,
      'mul_channels',
      `gain must have shape [${C}]`,
      gain.shape,
    )
    return [like(x)]
  },
  reference([x, gain], [y]) {
    const C = gain!.data.length
    y.data.forEach((_, i) => (y.data[i] = x!.data[i] * gain!.data[i % C]))
  },
  grad(b, { inputs: [x, gain] }, [dy], needs) {
    return [
      needs[0] ? mulChannels(b, dy!, gain!) : undefined,
      needs[1] ? b.apply(mulChannelsGradOp, [dy, x])[0] : undefined,
    ]
  },
  lower({ inputs: [x, gain], outputs: [y] }, to) {
    to.call('mul_channels__f32', to.at(x), to.at(gain), to.at(y), rows(y.shape), columns(y.shape))
  },
  cases: [
    [1, 1],
    [3, 7],
    [7, 33],
    [17, 128],
  ].map(([M, C]) => ({ name: `m${M}_c${C}`, inputs: [{ shape: [M, C] }, { shape: [C] }] })),
}

/** dgain[C] = sum of dy * x over rows. */
const mulChannelsGradOp: Op = {
  name: 'mul_channels_grad',
  infer: ([, x]) => [{ shape: [columns(x!.shape)], dtype: 'f32' }],
  reference([dy, x], [dgain]) {
    const C = dgain.data.length
    dy!.data.forEach((value, i) => (dgain.data[i % C] += value * x!.data[i]))
  },
  lower({ inputs: [dy, x], outputs: [dgain] }, to) {
    to.call('mul_channels_grad__f32', to.at(dy), to.at(x), to.at(dgain), rows(x!.shape), columns(x!.shape))
  },
  cases: [],
}

export function mulChannels(b: Builder, x: Value, gain: Value): Value {
  return b.apply(mulChannelsOp, [x, gain])[0]
}
