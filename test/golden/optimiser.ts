/**
 * Goldens of the optimiser by itself, on the stored gradients of the whole model, and of the learning rates.
 */
import { log } from '../../src/base/math.ts'
import { Builder } from '../../src/graph/builder.ts'
import { adamControl, adamw, CONTROL_SIZE } from '../../src/ops/adamw.ts'
import { clamp } from '../../src/ops/clamp.ts'
import { globalNorm } from '../../src/ops/global_norm.ts'
import { learningRate, type Schedule } from '../../src/train/schedule.ts'
import { decays, rateFactor } from '../../src/train/step.ts'
import type { Engine, Feeds } from './engine.ts'
import type { Golden } from './files.ts'
import { deviation, type Row } from './report.ts'

interface ReferenceSchedule {
  lr: number
  decay: number
  decay_off_at: number
  warmup: number
  total: number
  floor: number
  clip: number
  betas: [number, number]
  eps: number
}

/** Our own schedule of the reference's numbers. */
function scheduleOf(s: ReferenceSchedule): Schedule {
  return {
    rate: s.lr,
    warmup: s.warmup,
    steps: s.total,
    floor: s.floor,
    weightDecay: s.decay,
    decayUntil: s.decay_off_at,
  }
}

/** AdamW with clip on the stored gradients of all parameters, of the whole model; error beyond 2.4e-7 |p|. */
export function checkOptimiser(golden: Golden, weights: Golden, engine: Engine): Row[] {
  const s = golden.meta.schedule as ReferenceSchedule
  const step = golden.meta.step as number
  const b = new Builder('optimiser')
  const control = b.input('control', [CONTROL_SIZE])
  const feeds: Feeds = {}
  const parameters = weights.names.map((name) => b.parameter(name, weights.shape(name)))
  const gradients = parameters.map((p) => b.input(`grad.${p.name}`, p.shape))
  const norm = globalNorm(
    b,
    gradients,
    parameters.map(() => null),
    s.clip,
  )
  b.output('norm', norm)
  parameters.forEach((p, i) => {
    const [m, v] = [b.state(`m.${p.name}`, p.shape), b.state(`v.${p.name}`, p.shape)]
    const next = adamw(b, p, gradients[i], m, v, control, norm, null, { decay: decays(p), rate: rateFactor(p) })
    if (p.name === 'itc.log_temperature') clamp(b, next, log(0.01), log(1))
    const start = weights.get(p.name!)
    feeds[p.name!] = start
    feeds[m.name!] = Float32Array.from(start, (x) => 0.01 * x)
    feeds[v.name!] = Float32Array.from(start, (x) => 1e-4 * x * x + 1e-6)
    feeds[`grad.${p.name}`] = golden.get(`ternary.grad.${p.name}`)
  })
  const rate = learningRate(scheduleOf(s), step)
  feeds.control = adamControl({ step, rate, decay: s.decay })
  const got = engine.run(b.graph, feeds)
  const beyond = (name: string) => {
    const [ours, want] = [got[`state.${name}`], golden.get(`ternary.param.${name}`)]
    return Array.from(want).reduce((worst, p, i) => Math.max(worst, Math.abs(ours[i] - p) - 2.4e-7 * Math.abs(p)), 0)
  }
  return [
    {
      quantity: 'ternary.grad_norm of the stored gradients',
      error: deviation([got.norm[0]], golden.get('ternary.grad_norm')).max,
      tolerance: 1e-6,
    },
    ...weights.names.map((name) => ({ quantity: `ternary.param.${name}`, error: beyond(name), tolerance: 1e-8 })),
  ]
}

/** Learning rates of the card's schedule; those of `bitnet` differ in the peak alone, which the file does not name. */
export function checkSchedule(golden: Golden): Row[] {
  if (!golden.has('schedule.step')) return []
  const schedule = scheduleOf(golden.meta.schedule as ReferenceSchedule)
  const steps = Array.from(golden.get('schedule.step'))
  const rates = { lr_card: schedule, lr_bitnet: { ...schedule, rate: 1e-3 } }
  return Object.entries(rates).map(([name, rule]) => {
    const got = steps.map((step) => learningRate(rule, step))
    return { quantity: `schedule.${name}`, error: deviation(got, golden.get(`schedule.${name}`)).max, tolerance: 1e-12 }
  })
}
