/**
 * The shipped model as a standalone module in binaryen's wasm-shell: without JavaScript and without imports, every output
 * of every plan must have the bits that the executor gives here. An interpreter: it takes minutes and says nothing of speed.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildStandalone } from '../../codegen/standalone/build.ts'
import type { Isa } from '../../src/abi.ts'
import { readModelFile } from '../../src/io/model-file.ts'
import { KERNELS } from '../../src/kernels.ts'
import { narrow } from '../../src/plan/narrow.ts'
import { Session } from '../../src/runtime/session.ts'
import { StandaloneHost } from '../support/standalone.ts'
import { runShell } from '../support/wasm-shell.ts'

const MODEL = join(import.meta.dirname, '../../models/emoji-nano/model.safetensors')

/** Throws an Error with what the shell printed where one output differs. */
export async function verifyWasmShell(isa: Isa): Promise<void> {
  const bytes = readFileSync(MODEL)
  const { executor } = await Session.open(bytes, { sources: KERNELS })
  const plans = readModelFile(bytes).plans.map((plan) => narrow(plan, { B: 1 }))
  const addresses = new StandaloneHost((await buildStandalone(bytes, { isa: 'scalar', batch: 1 })).wasm)
  const { wasm } = await buildStandalone(bytes, { isa, batch: 1 })
  runShell(wasm, { plans, executor, rows: addresses.constant('vocabulary_rows'), addresses })
}
