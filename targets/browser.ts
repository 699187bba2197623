/**
 * Pages with `bitgen/core`, on desktops and phones. Which instruction sets there are depends on the browser and its age; a
 * page takes the best that works. A strict content security policy needs 'wasm-unsafe-eval'.
 */
import type { Device } from './target.ts'

export const browser: Device = {
  title: 'pages, on any machine',
  isas: ['relaxed', 'simd128', 'scalar'],
  architecture: 'any',
  engines: ['Chromium 114', 'Firefox 146', 'Safari 16.4 (simd128)'],
  facts: [{ says: 'Safari has simd128 since 16.4, and no relaxed', source: 'https://webassembly.org/features' }],
  limits: 'Safari was never run here; relaxed speed is that of the processor below',
  proofs: [
    { by: 'chromium', isas: ['relaxed', 'simd128', 'scalar'] },
    { by: 'firefox', isas: ['relaxed', 'simd128', 'scalar'] },
  ],
  verified: [
    {
      date: '2026-11-25',
      how: 'hardware',
      on: 'AMD EPYC: Chromium 150 and Firefox 153, headless',
      what: 'digest of emoji-nano on all instruction sets',
    },
  ],
}
