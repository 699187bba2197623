/** Proof without a JavaScript engine: the standalone module in binaryen's wasm-shell, and in C on an emulated ARMv6. */
import { MissingTool } from '../../codegen/standalone/native.ts'
import type { Proof } from '../../targets/target.ts'
import { verifyPiZero } from './pi-zero.ts'
import { verifyWasmShell } from './wasm-shell.ts'
import { Unavailable, type Finding } from './way.ts'

export async function proveByWasm2c({ isas }: Proof): Promise<Finding[]> {
  try {
    const { digest } = await verifyPiZero()
    const found = `digest ${digest.slice(0, 16)}`
    return isas.map((isa) => ({ engine: 'C by wasm2c in qemu, arm1176', isa, ok: isa === 'scalar', found }))
  } catch (error) {
    if (error instanceof MissingTool) throw new Unavailable(error.message)
    throw error
  }
}

export async function proveByWasmShell({ isas }: Proof): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const isa of isas) {
    await verifyWasmShell(isa)
    findings.push({ engine: 'wasm-shell', isa, ok: true, found: 'the bits of the executor from every plan' })
  }
  return findings
}
