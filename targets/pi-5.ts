/**
 * Raspberry Pi 5: the first with the 8-bit dot product of Armv8.2, which an engine may use for relaxed dots. Never on our
 * desk: bits are proved under emulation, speed is unknown.
 */
import type { Device } from './target.ts'

export const pi5: Device = {
  title: 'Raspberry Pi 5',
  isas: ['relaxed', 'simd128', 'scalar'],
  architecture: 'arm64',
  engines: ['Node 22', 'Node 24', 'Chromium'],
  memory: 1e9,
  cores: 4,
  facts: [
    {
      says: 'BCM2712, four Cortex-A76 at 2.4 GHz',
      source: 'https://www.raspberrypi.com/documentation/computers/processors.html',
    },
    { says: 'from 1 GB of memory', source: 'https://www.raspberrypi.com/products/raspberry-pi-5/' },
    { says: 'Cortex-A76 has asimddp (sdot)', source: 'AT_HWCAP of qemu-aarch64 -cpu cortex-a76, bit 20' },
  ],
  limits: 'speed not measured, nor whether the engine uses sdot for our relaxed dots',
  proofs: [{ by: 'node', node: 'arm64@24', cpu: 'cortex-a76', isas: ['relaxed', 'simd128', 'scalar'] }],
  verified: [
    {
      date: '2026-11-25',
      how: 'emulation',
      on: 'Node 24.22.0 arm64 in qemu 7.2.22, cortex-a76',
      what: 'digest of emoji-nano on all instruction sets',
    },
  ],
}
