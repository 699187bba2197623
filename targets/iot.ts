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
  memory: 16e6,
  cores: 1,
  facts: [{ says: 'memory is a bound that we set, not that of a device', source: 'targets/iot.ts' }],
  limits: 'speed not measured; the bound is for a standalone module, one picture and text at a time',
  proofs: [
    { by: 'memory', isas: ['scalar'] },
    { by: 'wasm2c', isas: ['scalar'] },
  ],
  verified: [
    {
      date: '2026-11-27',
      how: 'calculation',
      on: 'npm run verify -- iot',
      what: '3.51 MB for emoji-nano, one picture and text at a time',
    },
    {
      date: '2026-11-27',
      how: 'emulation',
      on: 'wasm2c 1.0.32, gcc 12.2 for armv6, arm1176 in qemu 7.2.22',
      what: 'digest of emoji-nano on scalar',
    },
  ],
}
