/**
 * Small devices that embed a plain WebAssembly runtime: no vectors, and a bound on memory that `npm run verify` holds the
 * kernels, weights and working space of the shipped model against. Pictures before resizing come on top.
 */
import type { Device } from './target.ts'

export const iot: Device = {
  title: 'a plain WebAssembly runtime',
  isas: ['scalar'],
  architecture: 'any',
  engines: ['any runtime of WebAssembly 1.0'],
  memory: 32e6,
  cores: 1,
  facts: [{ says: 'memory is a bound that we set, not that of a device', source: 'targets/iot.ts' }],
  limits: 'speed not measured',
  proofs: [
    { by: 'memory', isas: ['scalar'] },
    { by: 'wasm-shell', isas: ['scalar'] },
  ],
  verified: [],
}
