/**
 * The module of assembly/checks: what a file is checked with before kernels are chosen. In WebAssembly, since a start
 * has no time for an engine to make JavaScript fast.
 */
import wasm from '../../build/checks.js'
import { fromBase64 } from '../base/base64.ts'
import { growTo } from '../base/wasm-memory.ts'

/** What assembly/checks/entry.ts exports; addresses are bytes. Whoever calls writes what it needs to memory, from 0 on. */
export interface Checks {
  memory: WebAssembly.Memory
  reset(): void
  update(length: number): void
  digest(): bigint
  setTables(
    block: number,
    blockBytes: number,
    shapesAt: number,
    shapes: number,
    constantsAt: number,
    constants: number,
    kernelsAt: number,
    kernels: number,
    names: number,
  ): void
  setRows(buffersAt: number, buffersTo: number, callsAt: number, callsTo: number, scratchAt: number): void
  isSound(buffers: number, calls: number, ports: number, inputs: number, outputs: number): number
}

let loaded: Checks | undefined

/** The module, its memory grown to `bytes`. */
export function checksWith(bytes: number): Checks {
  loaded ??= new WebAssembly.Instance(new WebAssembly.Module(fromBase64(wasm))).exports as unknown as Checks
  growTo(loaded.memory, bytes)
  return loaded
}
