/**
 * Raspberry Pi 4 and 400: arm64 without the 8-bit dot product, so that relaxed dots take several instructions. Never on our
 * desk: bits are proved under emulation, speed is unknown.
 */
import type { Device } from './target.ts'

export const pi4: Device = {
  title: 'Raspberry Pi 4',
  isas: ['relaxed', 'simd128', 'scalar'],
  architecture: 'arm64',
  engines: ['Node 22', 'Node 24', 'Chromium'],
  memory: 1e9,
  cores: 4,
  facts: [
    {
      says: 'BCM2711, four Cortex-A72 at 1.5 to 1.8 GHz',
      source: 'https://www.raspberrypi.com/documentation/computers/processors.html',
    },
    { says: 'from 1 GB of memory', source: 'https://www.raspberrypi.com/products/raspberry-pi-4-model-b/' },
    { says: 'Cortex-A72 has no asimddp', source: 'AT_HWCAP of qemu-aarch64 -cpu cortex-a72, bit 20' },
  ],
  limits: 'speed not measured; relaxed may win little over simd128 without the dot product',
  proofs: [{ by: 'node', node: 'arm64@24', cpu: 'cortex-a72', isas: ['relaxed', 'simd128', 'scalar'] }],
  verified: [
    {
      date: '2026-11-25',
      how: 'emulation',
      on: 'Node 24.22.0 arm64 in qemu 7.2.22, cortex-a72',
      what: 'digest of emoji-nano on all instruction sets',
    },
  ],
}
