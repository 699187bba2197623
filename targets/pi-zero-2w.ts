/**
 * Raspberry Pi Zero 2 W: small in-order arm64 cores and half a gigabyte. Never on our desk: bits are proved under emulation,
 * speed is unknown.
 */
import type { Device } from './target.ts'

export const piZero2w: Device = {
  title: 'Raspberry Pi Zero 2 W',
  isas: ['relaxed', 'simd128', 'scalar'],
  architecture: 'arm64',
  engines: ['Node 22', 'Node 24', 'Chromium'],
  memory: 512e6,
  cores: 4,
  facts: [
    {
      says: 'RP3A0 with four Cortex-A53 at 1 GHz, 512 MB',
      source: 'https://www.raspberrypi.com/documentation/computers/processors.html',
    },
    { says: 'Cortex-A53 has no asimddp', source: 'AT_HWCAP of qemu-aarch64 -cpu cortex-a53, bit 20' },
  ],
  limits: 'speed not measured; needs a 64-bit system, for a 32-bit one see armv7',
  proofs: [{ by: 'node', node: 'arm64@24', cpu: 'cortex-a53', isas: ['relaxed', 'simd128', 'scalar'] }],
  verified: [
    {
      date: '2026-11-25',
      how: 'emulation',
      on: 'Node 24.22.0 arm64 in qemu 7.2.22, cortex-a53',
      what: 'digest of emoji-nano on all instruction sets',
    },
  ],
}
