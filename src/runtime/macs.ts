/** Multiply-accumulates of calls, by the ends of their arguments: what tells long calls from short ones. */
import type { Arg, Call } from '../abi.ts'
import type { Dim } from '../base/shape.ts'

/**
 * Of a call where sizes have those values: 0 of what is no product and no heads (those of the memory are few), NaN where
 * an address stands in the place of a size.
 */
export function macsOf({ k, a }: Call, value: (size: Dim) => number): number {
  const product = (sizes: readonly Arg[]) =>
    sizes.reduce<number>((n, size) => n * (typeof size === 'object' ? NaN : value(size)), 1)
  // M, K, N.
  if (k.startsWith('matmul_')) return product(a.slice(-3))
  if (!k.startsWith('attention_')) return 0
  // B, Tq, Tk, C, and behind them heads and causal.
  return (k.startsWith('attention_grad_') ? 5 : 2) * product(a.slice(-6, -2))
}
