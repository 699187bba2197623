/**
 * AdamW (Loshchilov & Hutter, arXiv 1711.05101) in place, with the clip of the global norm. What changes from step to
 * step (rate, corrections) comes from the host, computed in double; see adamControl.
 */
import type { Builder } from '../graph/builder.ts'
import type { CaseInput, Op, Value } from '../graph/graph.ts'
import { requireThat } from '../base/errors.ts'
import { powInt } from '../base/math.ts'
import { given, like, requireSame } from './shared.ts'
import { isTouched, touchedSize } from './touched.ts'

/**
 * Entries of the input `control`, in order. rest1 = 1 - beta1 and rest2 = 1 - beta2 come separately: taken from
 * the f32 beta2, the second would be off by 1e-5 of itself. correction1 = 1 / (1 - beta1^step), and so for 2.
 */
export const ADAM_CONTROL = [
  'lr',
  'decay',
  'beta1',
  'rest1',
  'beta2',
  'rest2',
  'eps',
  'correction1',
  'correction2',
] as const

export const CONTROL_SIZE = ADAM_CONTROL.length

const BETA1 = 0.9
const BETA2 = 0.999
const EPS = 1e-8

/** What the schedule decides for one step; steps count from 1. */
export interface AdamStep {
  step: number
  /** Learning rate. */
  rate: number
  /** Weight decay, where it applies. */
  decay: number
}

/** Contents of `control` for one step, with the betas and eps of model.md section 8. */
export function adamControl({ step, rate, decay }: AdamStep): Float32Array {
  requireThat(Number.isInteger(step) && step >= 1, 'adamControl', 'step must be a whole number from 1', step)
  const entries: Record<(typeof ADAM_CONTROL)[number], number> = {
    lr: rate,
    decay,
    beta1: BETA1,
    rest1: 1 - BETA1,
    beta2: BETA2,
    rest2: 1 - BETA2,
    eps: EPS,
    correction1: 1 / (1 - powInt(BETA1, step)),
    correction2: 1 / (1 - powInt(BETA2, step)),
  }
  return Float32Array.from(ADAM_CONTROL, (name) => entries[name])
}

/**
 * g = factor g,  m' = beta1 m + rest1 g,  v' = beta2 v + rest2 g^2,
 * p' = p - (lr rate decay p + lr rate correction1 m' / (sqrt(correction2 v') + eps)), the decay only where it applies
 * in   p, g, m, v [...] f32, control [9] f32 (ADAM_CONTROL), norm [2] f32 - {norm, factor} of globalNorm,
 *      touched [V] u8 or none: of a p [V,C] only rows whose flag is not 0 change
 * out  p', m', v' in the place of p, m, v; all unchanged if the factor is NaN
 */
export const adamwOp: Op = {
  name: 'adamw',
  alias: { 0: 0, 1: 2, 2: 3 },
  updates: true,
  infer(inputs) {
    const p = given(inputs, 0, 'adamw')
    for (const i of [1, 2, 3]) requireSame('adamw', p, given(inputs, i, 'adamw'))
    requireSame('adamw', { shape: [CONTROL_SIZE], dtype: 'f32' }, given(inputs, 4, 'adamw'))
    return [like(p), like(p), like(p)]
  },
  reference([, g, , , control, norm, touched], [p, m, v], { decay, rate }) {
    const factor = norm!.data[1]
    if (Number.isNaN(factor)) return
    const [lr, decayRate, beta1, rest1, beta2, rest2, eps, correction1, correction2] = control!.data
    const step = lr * Number(rate)
    for (let i = 0; i < p.data.length; i++) {
      if (!isTouched(p, touched, i)) continue
      const gi = g!.data[i] * factor
      m.data[i] = beta1 * m.data[i] + rest1 * gi
      v.data[i] = beta2 * v.data[i] + rest2 * gi * gi
      const move = (m.data[i] * correction1) / (Math.sqrt(v.data[i] * correction2) + eps)
      p.data[i] -= step * ((decay ? decayRate * p.data[i] : 0) + move)
    }
  },
  lower({ inputs: [p, g, m, v, control, norm, touched], attributes: { decay, rate } }, to) {
    const addresses = [g, control, norm, touched, p, m, v].map((value) => to.at(value))
    to.call('adamw__f32', ...addresses, ...touchedSize(p!, touched), Number(decay), Number(rate))
  },
  cases: [
    ...[1, 3, 7, 33, 130].map((n) => adamwCase(`n${n}`, [n], true, null)),
    adamwCase('no_decay', [33], false, null),
    adamwCase('touched', [9, 33], true, { shape: [9], dtype: 'u8', kind: 'ids', max: 2 }),
  ],
}

function adamwCase(name: string, shape: number[], decay: boolean, touched: CaseInput | null): Op['cases'][number] {
  const control = adamControl({ step: 3, rate: 0.01, decay: 0.02 })
  return {
    name,
    inputs: [
      { shape },
      { shape },
      { shape },
      { shape, kind: 'positive' },
      { shape: [CONTROL_SIZE], kind: 'values', values: [...control] },
      { shape: [2], kind: 'values', values: [2, 0.5] },
      touched,
    ],
    attributes: { decay, rate: 5 },
  }
}

/** How one parameter is trained: whether its weights decay, and a multiplier of the learning rate. */
export interface AdamGroup {
  decay: boolean
  rate: number
}

/** The next version of p; m and v change with it. */
export function adamw(
  b: Builder,
  p: Value,
  g: Value,
  m: Value,
  v: Value,
  control: Value,
  norm: Value,
  touched: Value | null,
  { decay, rate }: AdamGroup,
): Value {
  return b.apply(adamwOp, [p, g, m, v, control, norm, touched], { decay, rate })[0]
}
