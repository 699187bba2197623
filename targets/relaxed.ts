/**
 * Relaxed vectors: Chrome 114, Firefox 146, Node 22, Deno, Bun; not in stable Safari. Its 8-bit dot gives one integer
 * on every engine as long as the second operand stays in 0..127; relaxed_madd does not and serves training only.
 */
import type { Target } from './target.ts'

export const relaxed: Target = {
  isa: 'relaxed',
  variants: [
    { template: 'matmul_f32_madd', tile: 'm6n8', trick: 'madd', deterministic: false },
    { template: 'matmul_f32', tile: 'm5n8' },
    { template: 'matmul_ternary_i16', tile: 'm6n16' },
    { template: 'matmul_ternary_i32', tile: 'm6n8', trick: 'dot' },
  ],
}
