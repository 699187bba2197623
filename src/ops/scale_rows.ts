/**
 * Rows times a number each: samples that read from the memory, and those that do not.
 */
import type { Builder } from '../graph/builder.ts'
import type { Op, Value } from '../graph/graph.ts'
import { columns } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given, like } from './shared.ts'

/**
 * y[b] = s[b] * x[b]
 * in   x [B, C] f32, s [B] f32, which the host gives
 * out  y [B, C] f32
 * grad dx[b] = s[b] * dy[b]; s takes none
 */
export const scaleRowsOp: Op = {
  name: 'scale_rows',
  infer(inputs) {
    const [x, s] = [given(inputs, 0, 'scale_rows'), given(inputs, 1, 'scale_rows')]
    requireThat(x.shape.length === 2, 'scale_rows', 'x must have shape [B, C]', x.shape)
    requireThat(`${s.shape}` === `${x.shape[0]}`, 'scale_rows', `s must have shape [${x.shape[0]}]`, s.shape)
    return [like(x)]
  },
  reference([x, s], [y]) {
    const C = x!.shape[1]
    x!.data.forEach((value, i) => (y.data[i] = s!.data[Math.floor(i / C)] * value))
  },
  grad(b, { inputs: [, s] }, [dy], needs) {
    requireThat(!needs[1], 'scale_rows', 's must not take a gradient')
    return [scaleRows(b, dy!, s!)]
  },
  lower({ inputs: [x, s], outputs: [y] }, to) {
    to.call('scale_rows__f32', to.at(x), to.at(s), to.at(y), x!.shape[0], columns(x!.shape))
  },
  cases: [
    [1, 1],
    [5, 7],
    [3, 64],
  ].map(([B, C]) => ({ name: `b${B}_c${C}`, inputs: [{ shape: [B, C] }, { shape: [B], gradient: false }] })),
}

/** x [B,C] -> s[b] * x[b]. */
export function scaleRows(b: Builder, x: Value, s: Value): Value {
  return b.apply(scaleRowsOp, [x, s])[0]
}
