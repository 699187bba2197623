/**
 * Boards with a 32-bit system: Raspberry Pi 2, and later ones with a 32-bit image. Needs Neon. Never on our desk: bits are
 * proved under emulation, speed is unknown.
 */
import type { Device } from './target.ts'

export const armv7: Device = {
  title: '32-bit ARM with Neon',
  isas: ['simd128', 'scalar'],
  architecture: 'armv7',
  engines: ['Node 20'],
  memory: 1e9,
  cores: 4,
  facts: [
    {
      says: 'Raspberry Pi 2: BCM2836, four Cortex-A7 at 900 MHz, 1 GB',
      source: 'https://www.raspberrypi.com/documentation/computers/processors.html',
    },
    {
      says: 'armv7 is experimental in Node 24 and later; npm has no binary after 20',
      source: 'https://github.com/nodejs/node/blob/main/BUILDING.md',
    },
  ],
  limits: 'speed not measured; no relaxed vectors in Node 20',
  proofs: [{ by: 'node', node: 'armv7l@20', cpu: 'cortex-a7', isas: ['simd128', 'scalar'] }],
  verified: [
    {
      date: '2026-11-25',
      how: 'emulation',
      on: 'Node 20.11.0 armv7l in qemu 7.2.22, cortex-a7',
      what: 'digest of emoji-nano on both instruction sets',
    },
  ],
}
