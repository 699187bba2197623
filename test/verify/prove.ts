/**
 * Goes the proofs of targets and prints a line for each of their instruction sets. What could not be tried is skipped and
 * says why: it never counts as passed.
 */
import { errorText } from '../../src/base/errors.ts'
import type { Device, Proof, Target } from '../../targets/target.ts'
import { Unavailable, type Finding, type Way } from './way.ts'

export interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** Whether counts are a success; where `strict`, nothing may have been skipped. */
export function succeeded({ failed, skipped }: Counts, strict: boolean): boolean {
  return failed === 0 && !(strict && skipped > 0)
}

/** Ways by name; a proof whose way is not there is skipped. `log` takes the lines. */
export async function prove(
  targets: Readonly<Record<string, Target | Device>>,
  ways: Partial<Record<Proof['by'], Way>>,
  log: (line: string) => void,
): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  for (const [name, target] of Object.entries(targets)) {
    for (const proof of target.proofs) {
      const label = [proof.by, proof.node, proof.cpu].filter(Boolean).join(' ')
      try {
        const way = ways[proof.by]
        if (!way) throw new Unavailable('not available in this checkout')
        const findings = await way(proof, target)
        for (const isa of proof.isas) {
          const finding = findings.find((one) => one.isa === isa)
          counts[finding?.ok ? 'passed' : 'failed']++
          log(finding ? lineOf(name, finding) : `FAIL ${name}: ${label}: ${isa}: nothing was found`)
        }
      } catch (error) {
        const missing = error instanceof Unavailable
        counts[missing ? 'skipped' : 'failed'] += proof.isas.length
        log(`${missing ? 'skip' : 'FAIL'} ${name}: ${label}: ${proof.isas.join(', ')}: ${errorText(error)}`)
      }
    }
  }
  return counts
}

function lineOf(name: string, { engine, isa, ok, found }: Finding): string {
  return `${ok ? 'ok  ' : 'FAIL'} ${name}: ${engine}: ${isa}: ${found}`
}
