/**
 * Raspberry Pi 5: the first with the 8-bit dot product of Armv8.2, which engines use for relaxed dots. Never on our desk:
 * bits are proved under emulation, speed is unknown.
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
  limits: 'speed not measured; the fastest of the boards to expect, for it alone has the dot product',
  proofs: [{ by: 'node', node: 'arm64@24', cpu: 'cortex-a76', isas: ['relaxed', 'simd128', 'scalar'] }],
  verified: [],
}
