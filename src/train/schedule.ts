/**
 * Learning rate and weight decay by step (model.md section 8): linear warmup, then cosine to a share of the peak.
 */
import { cos } from '../base/math.ts'

export interface Schedule {
  /** Peak learning rate. */
  rate: number
  /** Steps of linear warmup. */
  warmup: number
  /** All steps. */
  steps: number
  /** Rate at the last step, as a share of the peak. */
  floor: number
  weightDecay: number
  /** Share of the steps after which weight decay is off; 1: never. */
  decayUntil: number
}

/** What a named schedule says; a run may say otherwise. */
export type ScheduleShape = Omit<Schedule, 'steps'>

/** `card`: as published. `bitnet`: a higher rate, and no decay in the second half (BitNet b1.58, arXiv 2402.17764). */
export const SCHEDULES = {
  card: { rate: 2e-4, warmup: 1000, floor: 0.1, weightDecay: 0.02, decayUntil: 1 },
  bitnet: { rate: 1e-3, warmup: 1000, floor: 0.1, weightDecay: 0.02, decayUntil: 0.5 },
} as const satisfies Record<string, ScheduleShape>

export type ScheduleName = keyof typeof SCHEDULES

/** What a named schedule says of a run of so many steps: a short one warms up for a tenth of them. */
export function namedSchedule(name: ScheduleName, steps: number): ScheduleShape {
  const schedule = SCHEDULES[name]
  return { ...schedule, warmup: Math.min(schedule.warmup, Math.ceil(steps / 10)) }
}

/** Learning rate of a step; steps count from 1. */
export function learningRate(s: Schedule, step: number): number {
  if (step <= s.warmup) return (s.rate * step) / s.warmup
  const progress = Math.min(1, (step - s.warmup) / Math.max(1, s.steps - s.warmup))
  return s.rate * (s.floor + (1 - s.floor) * 0.5 * (1 + cos(Math.PI * progress)))
}

/** The rate of parameters whose first step comes behind step `joined`: it is warmed up for them too. */
export function joinedRate(s: Schedule, step: number, joined: number): number {
  return learningRate(s, step) * Math.min(1, (step - joined) / Math.max(1, s.warmup))
}

/** Weight decay of a step. */
export function weightDecay(s: Schedule, step: number): number {
  return step <= s.decayUntil * s.steps ? s.weightDecay : 0
}
