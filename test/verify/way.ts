/** What the ways of proof share: each takes a proof of a target and says what it found on every instruction set. */
import { readFileSync } from 'node:fs'
import type { Isa } from '../../src/abi.ts'
import { readModelFile } from '../../src/io/model-file.ts'
import { DEFAULT_MODEL } from '../../src/index.ts'
import type { Device, Proof, Target } from '../../targets/target.ts'

/** One line of the output. */
export interface Finding {
  /** What ran it, with versions. */
  engine: string
  isa: Isa
  ok: boolean
  found: string
}

/** Throws Unavailable where a tool is missing; what else it throws is a failure of the target. */
export type Way = (proof: Proof, target: Target | Device) => Promise<Finding[]>

/** Nothing was proved: the message says what is missing. */
export class Unavailable extends Error {}

/** What engine.js reports. */
export interface Report {
  engine: string
  results: { isa: Isa; digest?: string; problem?: string }[]
}

/** The digest that the shipped model file states. */
export function statedDigest(): string {
  return String(readModelFile(readFileSync(DEFAULT_MODEL)).manifest.selfTest)
}

/** Holds what an engine reports against the model file; `engine` names it with what it ran in. */
export function judge({ results }: Report, engine: string): Finding[] {
  const expected = statedDigest()
  return results.map(({ isa, digest, problem }) => {
    const ok = digest === expected
    return {
      engine,
      isa,
      ok,
      found: problem ?? `digest ${digest?.slice(0, 16)}${ok ? '' : `, must be ${expected.slice(0, 16)}`}`,
    }
  })
}
