/**
 * Small devices that embed a plain WebAssembly runtime: no vectors, and a bound on memory that `npm run verify` holds the
 * kernels, weights and working space of the shipped model against. Pictures before resizing come on top.
 */
import type { Device } from './target.ts'

export const iot: Device = {
  title: 'a plain WebAssembly runtime',
  isas: ['scalar'],
  architecture: 'any',
  engines: ['any runtime with bulk memory and saturating conversions'],
  memory: 32e6,
  cores: 1,
  facts: [{ says: 'memory is a bound that we set, not that of a device', source: 'targets/iot.ts' }],
  limits: 'speed not measured; the bound is for the plans of the model file as they are, 8 pictures or texts at once',
  proofs: [
    { by: 'memory', isas: ['scalar'] },
    { by: 'wasm-shell', isas: ['scalar'] },
  ],
  verified: [
    {
      date: '2026-11-25',
      how: 'calculation',
      on: 'npm run verify -- iot',
      what: '22.19 MB for emoji-nano, at most 8 pictures or texts at once',
    },
  ],
}
