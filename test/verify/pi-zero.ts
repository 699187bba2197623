/**
 * The shipped model on an ARMv6 core, which a Raspberry Pi Zero has: the standalone scalar module in C, compiled for it
 * and run by qemu as an ARM1176, must come to the digest that the model file states and that the kernels of this engine
 * give. Correctness only: an emulator says nothing of speed.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildStandalone } from '../../codegen/standalone/build.ts'
import { buildNative, PI_ZERO, runTool } from '../../codegen/standalone/native.ts'
import { message } from '../../src/base/errors.ts'
import { KERNELS } from '../../src/kernels.ts'
import { selfTest } from '../../src/runtime/self-test.ts'
import { Session } from '../../src/runtime/session.ts'

const MODEL = join(import.meta.dirname, '../../models/emoji-nano/model.safetensors')
const EMULATOR = 'qemu-arm-static'

export interface PiZeroResult {
  /** sha256 of the inference of src/runtime/self-test.ts, the same everywhere. */
  digest: string
  /** The instruction set that served this engine. */
  isa: string
  moduleBytes: number
  binaryBytes: number
}

/**
 * Compares features, fused states, logits and caption ids of three pictures and texts by their digest. Throws an Error
 * where one bit differs; where a tool is missing, one that names the Debian packages.
 */
export async function verifyPiZero(): Promise<PiZeroResult> {
  const bytes = readFileSync(MODEL)
  const session = await Session.open(bytes, { sources: KERNELS })
  const here = await selfTest(session)
  const { wasm } = await buildStandalone(bytes, { isa: 'scalar', batch: 1 })
  const folder = mkdtempSync(join(tmpdir(), 'bitgen-pi-zero-'))
  try {
    const program = await buildNative(wasm, 'selftest', folder, PI_ZERO)
    const packages = [...PI_ZERO.packages, 'qemu-user-static']
    const results = await runTool(EMULATOR, ['-cpu', 'arm1176', program], folder, packages)
    const digest = createHash('sha256').update(results).digest('hex')
    for (const want of [session.manifest.selfTest, here]) {
      if (digest !== want) throw new Error(message('pi-zero', `digest must be ${want}`, digest))
    }
    const { isa } = session.executor.kernels.manifest
    return { digest, isa, moduleBytes: wasm.length, binaryBytes: statSync(program).size }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
