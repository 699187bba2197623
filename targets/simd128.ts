/**
 * 128-bit vectors: Chrome 91, Firefox 89, Safari 16.4, Node 16. No 8-bit dot, so ternary products widen activations
 * to 16 bits: about half the speed of relaxed.
 */
import type { Target } from './target.ts'

export const simd128: Target = {
  isa: 'simd128',
  variants: [
    { template: 'matmul_f32', tile: 'm5n8' },
    { template: 'matmul_ternary_plain', tile: 'm4n8' },
  ],
}
