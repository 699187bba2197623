/**
 * Raspberry Pi Zero, Zero W and 1: ARMv6 without vectors and without a current JavaScript engine. The standalone scalar
 * module goes through wasm2c and gcc. Never on our desk: bits are proved under emulation, speed is unknown.
 */
import type { Device } from './target.ts'

export const piZero: Device = {
  title: 'Raspberry Pi Zero and 1',
  isas: ['scalar'],
  architecture: 'armv6',
  engines: ['C, by wasm2c and gcc'],
  memory: 512e6,
  cores: 1,
  facts: [
    {
      says: 'BCM2835, one ARM1176JZF-S at 1 GHz, 512 MB',
      source: 'https://www.raspberrypi.com/documentation/computers/processors.html',
    },
    { says: 'Node has no ARMv6 platform', source: 'https://github.com/nodejs/node/blob/main/BUILDING.md' },
  ],
  limits: 'speed not measured; floating point by VFPv2, no vectors',
  proofs: [{ by: 'wasm2c', isas: ['scalar'] }],
  verified: [
    {
      date: '2026-11-25',
      how: 'emulation',
      on: 'wasm2c 1.0.32, gcc 12.2 for armv6, arm1176 in qemu 7.2.22',
      what: 'digest of emoji-nano on scalar',
    },
  ],
}
