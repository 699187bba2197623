/**
 * Servers, desktops and laptops with an Intel or AMD processor: what BitGen is developed, trained and measured on.
 */
import type { Device } from './target.ts'

export const nodeX64: Device = {
  title: 'Node on Intel and AMD',
  isas: ['relaxed', 'simd128', 'scalar'],
  architecture: 'x64',
  engines: ['Node 20 (simd128)', 'Node 22', 'Node 24', 'Node 26', 'Deno', 'Bun'],
  facts: [
    { says: 'Node 20 has no relaxed vectors', source: 'npm run verify -- node-x64: its engine refuses the probe' },
  ],
  limits: 'figures of README.md and bench/results are of this target and the machine that each names',
  proofs: [
    { by: 'node', node: 'x64@20', isas: ['simd128', 'scalar'] },
    { by: 'node', node: 'x64@22', isas: ['relaxed', 'simd128', 'scalar'] },
    { by: 'node', node: 'x64@24', isas: ['relaxed', 'simd128', 'scalar'] },
    { by: 'node', node: 'x64@26', isas: ['relaxed', 'simd128', 'scalar'] },
  ],
  verified: [
    {
      date: '2026-11-25',
      how: 'hardware',
      on: 'AMD EPYC: Node 22.23.3, 24.21.0 and 26.10.0',
      what: 'digest of emoji-nano on all instruction sets',
    },
    {
      date: '2026-11-25',
      how: 'hardware',
      on: 'AMD EPYC: Node 20.20.2',
      what: 'digest of emoji-nano on simd128 and scalar',
    },
  ],
}
