/**
 * How many threads a model is worth, from the multiply-accumulates of its plan: small ones are over before further
 * threads have gained what it costs to wake and meet them. Measured by `npm run bench -- threads`.
 */
import type { Plan } from '../abi.ts'
import { evaluator } from '../base/shape.ts'
import { macsOf } from './macs.ts'

/** Of one image. */
const WORTH_MACS = 1e8
/** More wait for each other longer than they compute. */
const MOST_THREADS = 4

/** Threads that plans of inference are worth here: one unless encoding an image is long. */
export function threadsFor(plans: readonly Plan[]): number {
  const image = plans.find(({ name }) => name === 'encodeImage')
  return image && macs(image) >= WORTH_MACS ? Math.min(MOST_THREADS, cores()) : 1
}

/** Multiply-accumulates of the products and heads of one sample. */
function macs({ calls, symbols }: Plan): number {
  const value = evaluator({ ...symbols, B: 1 })
  return calls.reduce((sum, call) => sum + macsOf(call, value), 0)
}

/** Cores that this process may use. */
export function cores(): number {
  if (typeof navigator !== 'undefined') return navigator.hardwareConcurrency ?? 1
  return process.getBuiltinModule?.('node:os').availableParallelism() ?? 1
}
