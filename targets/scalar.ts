/**
 * WebAssembly 1.0 without vectors: every engine since 2017, and wasm2c for boards without a JavaScript engine. The
 * complete reference set: known answers of all targets come from it. 10 to 40 times slower than relaxed in products.
 */
import type { Target } from './target.ts'

export const scalar: Target = {
  isa: 'scalar',
  title: 'WebAssembly 1.0: one number at a time',
  variants: [{ template: 'matmul_f32_scalar' }, { template: 'matmul_ternary_scalar' }],
  facts: [
    { says: 'in every engine since 2017', source: 'https://webassembly.org/features' },
    { says: 'complete: the known answers of all targets come from it', source: 'codegen/known-answers.ts' },
  ],
  limits: 'products take 10 to 40 times as long as with relaxed',
  proofs: [
    { by: 'node', node: 'x64@20', isas: ['scalar'] },
    { by: 'node', node: 'x64@22', isas: ['scalar'] },
    { by: 'node', node: 'x64@24', isas: ['scalar'] },
    { by: 'node', node: 'x64@26', isas: ['scalar'] },
    { by: 'chromium', isas: ['scalar'] },
    { by: 'firefox', isas: ['scalar'] },
    { by: 'wasm-shell', isas: ['scalar'] },
  ],
  verified: [],
}
