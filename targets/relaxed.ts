/**
 * Relaxed vectors: Chrome 114, Firefox 146, Node 22, Deno, Bun; not in stable Safari. Its 8-bit dot gives one integer
 * on every engine as long as the second operand stays in 0..127; relaxed_madd does not and serves training only.
 */
import type { Target } from './target.ts'

export const relaxed: Target = {
  isa: 'relaxed',
  title: 'relaxed vectors, 8-bit dots',
  variants: [
    { template: 'attention_madd', tile: 'm6n8', trick: 'madd', deterministic: false },
    { template: 'attention', tile: 'm5n8' },
    { template: 'matmul_f32_madd', tile: 'm6n8', trick: 'madd', deterministic: false },
    { template: 'matmul_f32', tile: 'm5n8' },
    { template: 'matmul_ternary_i16', tile: 'm5n8' },
    { template: 'matmul_ternary_i32', tile: 'm6n8', trick: 'dot' },
  ],
  facts: [
    { says: 'Chrome 114, Firefox 146, Node 22, Deno, Bun', source: 'https://webassembly.org/features' },
    {
      says: 'a dot gives one integer everywhere where its second operand is in 0..127',
      source: 'https://github.com/WebAssembly/relaxed-simd/blob/main/proposals/relaxed-simd/Overview.md',
    },
  ],
  limits: 'not in stable Safari, nor in Node 20; relaxed_madd serves training only',
  proofs: [
    { by: 'node', node: 'x64@22', isas: ['relaxed'] },
    { by: 'node', node: 'x64@24', isas: ['relaxed'] },
    { by: 'node', node: 'x64@26', isas: ['relaxed'] },
    { by: 'chromium', isas: ['relaxed'] },
    { by: 'firefox', isas: ['relaxed'] },
    { by: 'wasm-shell', isas: ['relaxed'] },
  ],
  verified: [
    {
      date: '2026-11-27',
      how: 'hardware',
      on: 'Intel Xeon: Node 22.23.3, 24.21.0 and 26.12.1, Chromium 156, Firefox 153',
      what: 'digest of emoji-nano',
    },
    {
      date: '2026-11-25',
      how: 'hardware',
      on: 'AMD EPYC: Node 22.23.3, 24.21.0 and 26.10.0, Chromium 150, Firefox 153',
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
