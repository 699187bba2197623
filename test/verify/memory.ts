/**
 * Proof that the shipped model fits the memory of a target, for one picture and text at a time: constants of the kernels,
 * weights and working space of all plans, as a standalone module lays them out. Pictures before they are resized come on
 * top.
 */
import { readFileSync } from 'node:fs'
import { requireThat } from '../../src/base/errors.ts'
import { bytesText } from '../../src/base/readable.ts'
import { DEFAULT_MODEL } from '../../src/index.ts'
import { readModelFile } from '../../src/io/model-file.ts'
import { KERNELS } from '../../src/kernels.ts'
import { narrow } from '../../src/plan/narrow.ts'
import { layOut } from '../../src/runtime/layout.ts'
import { loadKernels } from '../../src/runtime/load.ts'
import type { Device, Proof, Target } from '../../targets/target.ts'
import type { Finding } from './way.ts'

export async function proveMemory({ isas }: Proof, target: Target | Device): Promise<Finding[]> {
  const bound = 'memory' in target ? target.memory : undefined
  requireThat(bound !== undefined, target.title, 'must state its memory')
  const plans = readModelFile(readFileSync(DEFAULT_MODEL)).plans.map((plan) => narrow(plan, { B: 1 }))
  return Promise.all(
    isas.map(async (isa) => {
      const { manifest } = await loadKernels({ sources: KERNELS, target: isa })
      const { total } = layOut(manifest.heapBase, plans).memoryUse
      return { engine: 'memory', isa, ok: total <= bound, found: `${bytesText(total)} of ${bytesText(bound)}` }
    }),
  )
}
