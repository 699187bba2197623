/** What a target file says. Data only: the generator reads it, nothing runs it. */
import type { Isa } from '../src/abi.ts'

/** One generated source in the module of a target. */
export interface Variant {
  /** Key of SOURCES in codegen/registry.ts. */
  template: string
  /** Part of the kernel's name between family and instruction set: rows x outputs of the register tile. */
  tile?: string
  /** Part of the kernel's name behind the instruction set. */
  trick?: string
  /** Default true: the same bits as every other target. */
  deterministic?: boolean
}

export interface Target {
  isa: Isa
  /** Of one family, the first variant that a plan allows serves it. */
  variants: Variant[]
}
