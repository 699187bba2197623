/**
 * What the trial at load times of a variant (src/runtime/trial.ts): the multiplication that it is built of, out of
 * registers. Not the kernel itself: for the first tens of milliseconds an engine runs what its quick compiler made, in
 * which loads and stores of registers take as long as all that variants differ by.
 */
import { each } from '../text.ts'
import type { DotForm } from './ternary_panels.ts'

/** Independent sums, enough to hide how long a dot takes, and steps of each a turn, so that the loop itself is little. */
const SUMS = 8
const STEPS = 8

/** Exports `trial`, of the same number of products a turn in every form. Sums are their own activations: none can leave the loop. */
export function trialLoop({ add }: DotForm): string {
  return `
export function trial(turns: i32): void {
  const y = v128.load(MASK)
  ${each(SUMS, (i) => `let p${i} = y`, '  ')}
  for (; turns > 0; turns--) {
    ${each(SUMS * STEPS, (i) => `p${i % SUMS} = ${add(`p${i % SUMS}`, `p${i % SUMS}`, 'y')}`, '    ')}
  }
  ${each(SUMS, (i) => `v128.store(SUMS, p${i}, ${16 * i})`, '  ')}
}
`
}
