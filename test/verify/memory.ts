/**
 * Proof that the shipped model fits the memory of a target: constants of the kernels, weights and the working space of
 * all plans, as the executor lays them out. Pictures before they are resized come on top.
 */
import { readFileSync } from 'node:fs'
import { requireThat } from '../../src/base/errors.ts'
import { bytesText } from '../../src/cli/format.ts'
import { DEFAULT_MODEL } from '../../src/index.ts'
import { KERNELS } from '../../src/kernels.ts'
import { Session } from '../../src/runtime/session.ts'
import type { Device, Proof, Target } from '../../targets/target.ts'
import type { Finding } from './way.ts'

export async function proveMemory({ isas }: Proof, target: Target | Device): Promise<Finding[]> {
  const bound = 'memory' in target ? target.memory : undefined
  requireThat(bound !== undefined, target.title, 'must state its memory')
  const bytes = readFileSync(DEFAULT_MODEL)
  return Promise.all(
    isas.map(async (isa) => {
      const { executor } = await Session.open(bytes, { sources: KERNELS, target: isa })
      const { total } = executor.memoryUse
      return { engine: 'memory', isa, ok: total <= bound, found: `${bytesText(total)} of ${bytesText(bound)}` }
    }),
  )
}
