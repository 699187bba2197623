/**
 * `bitgen selftest`: one digest of a whole inference on every kernel module that works here. All must agree, and be the
 * one that the model file says it had where it was made.
 */
import type { CAC } from 'cac'
import { ISAS } from '../abi.ts'
import { errorText, message } from '../base/errors.ts'
import { BitGen, DEFAULT_MODEL } from '../index.ts'
import { KernelError } from '../runtime/load.ts'
import { MODEL_OPTION } from './model.ts'
import { table } from './table.ts'
import { errorAt, option, type Options } from './usage.ts'

export function addSelftest(cli: CAC): void {
  cli
    .command('selftest', 'Whether every kernel module of this engine gives the bits that the model file states')
    .usage('selftest [options]')
    .option(...MODEL_OPTION)
    .action(async (options: Options) => {
      const source = option(options, 'model') ?? DEFAULT_MODEL
      const rows: string[][] = []
      const digests = new Set<string>()
      for (const target of ISAS) {
        try {
          const model = await BitGen.load(source, { target })
          const { digest, expected } = await model.selfTest()
          rows.push([target, digest ?? 'no digest'])
          for (const one of [digest, expected]) if (typeof one === 'string') digests.add(one)
          if (target === ISAS[0]) rows.unshift(['model file', expected ?? 'states none'])
        } catch (error) {
          if (!(error instanceof KernelError)) throw errorAt(source, 'must be a model file', error)
          rows.push([target, `does not work here: ${errorText(error)}`])
        }
      }
      console.log(table(rows))
      if (digests.size > 1) throw new Error(message('selftest', 'all digests must be the same', digests.size))
    })
}
