/**
 * How many threads a model is worth, from the multiply-accumulates of its plan: small ones are over before further
 * threads have gained what it costs to wake and meet them. Measured by `npm run bench -- threads`.
 */
import type { Arg, Call, Plan } from '../abi.ts'
import { evaluator, type Dim } from '../base/shape.ts'

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

/**
 * Multiply-accumulates of a call where sizes have those values: 0 of what is no product and no heads, NaN where an
 * address stands in the place of a size.
 */
export function macsOf({ k, a }: Call, value: (size: Dim) => number): number {
  const product = (sizes: readonly Arg[]) =>
    sizes.reduce<number>((n, size) => n * (typeof size === 'object' ? NaN : value(size)), 1)
  if (k.startsWith('matmul_')) return product(a.slice(-3))
  // B, Tq, Tk, C, and behind them heads and causal.
  return k.startsWith('attention_') ? 2 * product(a.slice(-6, -2)) : 0
}

/** Cores that this process may use. */
export function cores(): number {
  if (typeof navigator !== 'undefined') return navigator.hardwareConcurrency ?? 1
  return process.getBuiltinModule?.('node:os').availableParallelism() ?? 1
}
