/** A target in one row: the list of `npm run verify` and the table of devices in targets/README.md, which a test compares. */
import { HOW, type Device, type Target } from '../../targets/target.ts'

export const COLUMNS = ['target', 'what', 'instruction sets', 'memory', 'verified']

export function summary(name: string, target: Target | Device): string[] {
  const isas = 'isas' in target ? target.isas : [target.isa]
  const memory = 'memory' in target && target.memory !== undefined ? `${target.memory / 1e6} MB` : 'any'
  const ways = HOW.filter((way) => target.verified.some(({ how }) => how === way))
  return [name, target.title, isas.join(', '), memory, ways.join(', ') || 'nothing']
}
