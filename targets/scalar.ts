/**
 * WebAssembly without vectors: every current engine, and wasm2c for boards without one. Of what came after version 1.0 it
 * uses bulk memory and saturating conversions. The complete reference set: known answers of all targets come from it. 10
 * to 40 times slower than relaxed in products.
 */
import type { Target } from './target.ts'

export const scalar: Target = {
  isa: 'scalar',
  title: 'no vectors, one number at a time',
  variants: [
    { template: 'attention_scalar' },
    { template: 'matmul_f32_scalar' },
    { template: 'matmul_ternary_scalar' },
  ],
  facts: [
    {
      says: 'bulk memory and saturating conversions: Chrome 75, Firefox 79, Safari 15, Node 12.5',
      source: 'https://webassembly.org/features',
    },
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
  verified: [
    {
      date: '2026-11-27',
      how: 'hardware',
      on: 'Intel Xeon: Node 20.20.2, 22.23.3, 24.21.0 and 26.12.1, Chromium 156, Firefox 153',
      what: 'digest of emoji-nano',
    },
    {
      date: '2026-11-25',
      how: 'hardware',
      on: 'AMD EPYC: Node 20.20.2, 22.23.3, 24.21.0 and 26.10.0, Chromium 150, Firefox 153',
      what: 'digest of emoji-nano',
    },
    {
      date: '2026-11-25',
      how: 'hardware',
      on: 'AMD EPYC: wasm-shell of binaryen 132',
      what: 'every output of every plan of emoji-nano, on short inputs',
    },
    {
      date: '2026-11-25',
      how: 'emulation',
      on: 'the boards that list it here, in qemu 7.2.22',
      what: 'digest of emoji-nano',
    },
  ],
}
