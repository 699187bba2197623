/** The ways of proof, by the name that targets/ has for them. */
import type { Proof } from '../../targets/target.ts'
import { proveByChromium, proveByFirefox } from './browsers.ts'
import { proveMemory } from './memory.ts'
import { proveByNode } from './node.ts'
import type { Way } from './way.ts'

export const WAYS: Record<Proof['by'], Way> = {
  node: proveByNode,
  chromium: proveByChromium,
  firefox: proveByFirefox,
  // Loaded where it is called: it brings the compiler along.
  'wasm-shell': async (proof) => (await import('./standalone.ts')).proveByWasmShell(proof),
  wasm2c: async (proof) => (await import('./standalone.ts')).proveByWasm2c(proof),
  memory: proveMemory,
}
