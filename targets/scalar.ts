/**
 * WebAssembly 1.0 without vectors: every engine since 2017, and wasm2c for boards without a JavaScript engine. The
 * complete reference set: known answers of all targets come from it. 10 to 40 times slower than relaxed in products.
 */
import type { Target } from './target.ts'

export const scalar: Target = {
  isa: 'scalar',
  variants: [{ template: 'matmul_f32_scalar' }, { template: 'matmul_ternary_scalar' }],
}
