/**
 * 128-bit vectors: Chrome 91, Firefox 89, Safari 16.4, Node 16. No 8-bit dot; a 16-bit one serves two outputs of a
 * ternary product at once, so several rows take 1.1 to 1.7 times as long as with relaxed, one row 1.3 to 4 times.
 */
import type { Target } from './target.ts'

export const simd128: Target = {
  isa: 'simd128',
  title: '128-bit vectors, 16-bit dots',
  variants: [
    { template: 'attention', tile: 'm5n8' },
    { template: 'matmul_f32', tile: 'm5n8' },
    { template: 'matmul_ternary_plain', tile: 'm4n16' },
  ],
  facts: [{ says: 'Chrome 91, Firefox 89, Safari 16.4, Node 16', source: 'https://webassembly.org/features' }],
  limits: 'no 8-bit dot: products take 1.1 to 4 times as long as with relaxed',
  proofs: [
    { by: 'node', node: 'x64@20', isas: ['simd128'] },
    { by: 'node', node: 'x64@22', isas: ['simd128'] },
    { by: 'node', node: 'x64@24', isas: ['simd128'] },
    { by: 'node', node: 'x64@26', isas: ['simd128'] },
    { by: 'chromium', isas: ['simd128'] },
    { by: 'firefox', isas: ['simd128'] },
    { by: 'wasm-shell', isas: ['simd128'] },
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
