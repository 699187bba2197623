/** The ways of proof, by the name that targets/ has for them. One that is not here is reported as skipped. */
import type { Proof } from '../../targets/target.ts'
import { proveByChromium, proveByFirefox } from './browsers.ts'
import { proveMemory } from './memory.ts'
import { proveByNode } from './node.ts'
import type { Way } from './way.ts'

export const WAYS: Partial<Record<Proof['by'], Way>> = {
  node: proveByNode,
  chromium: proveByChromium,
  firefox: proveByFirefox,
  memory: proveMemory,
}
