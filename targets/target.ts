/**
 * What a target file says: an instruction set or a device, what is known of it and what was verified how. Data only: the
 * generator reads variants, `npm run verify` reads proofs, nothing runs it.
 */
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

/** Something known, and who says so. */
export interface Fact {
  says: string
  source: string
}

/** A way to prove that inference gives the bits that the model file states; `npm run verify` goes it. */
export interface Proof {
  /** Key of WAYS in test/verify/ways.ts. */
  by: 'node' | 'chromium' | 'firefox' | 'wasm-shell' | 'wasm2c' | 'memory'
  /** Instruction sets that are proved, each alone. */
  isas: readonly Isa[]
  /** For `node`: ARCHITECTURE@VERSION of the npm packages node-linux-*; default the Node that runs the command. */
  node?: string
  /** For `node` of a foreign architecture: the processor that qemu emulates. */
  cpu?: string
}

/** How a target was verified, the strongest first. Bits under emulation are those of hardware; times are not. */
export const HOW = ['hardware', 'emulation', 'calculation'] as const

/** What somebody saw. */
export interface Verified {
  date: string
  how: (typeof HOW)[number]
  /** Engine, processor or emulator, with versions. */
  on: string
  what: string
}

/** What targets of both kinds say. */
interface Profile {
  /** What it is, in a few words. */
  title: string
  facts: readonly Fact[]
  /** What to expect of it, and what not. */
  limits: string
  proofs: readonly Proof[]
  verified: readonly Verified[]
}

/** An instruction set: one kernel module. */
export interface Target extends Profile {
  isa: Isa
  /** Of one family, the first variant that a plan allows serves it. */
  variants: Variant[]
}

/** Something to run on. */
export interface Device extends Profile {
  /** Instruction sets that its engines take, the best first: the order in which a module is chosen at load. */
  isas: readonly Isa[]
  architecture: string
  /** Engines known to run the modules there. */
  engines: readonly string[]
  /** Bytes, of the smallest model; undefined where it varies. */
  memory?: number
  /** Undefined where it varies. */
  cores?: number
}
