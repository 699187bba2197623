/**
 * `npm run golden -- DIR [--target ISA] [--oracle] [--brief]`: compiled plans, or with --oracle the float64 interpreter,
 * against the golden files of a folder. Prints every quantity (--brief: those beyond their tolerance), and what the
 * files hold that is not covered; fails if anything is beyond, or nothing was compared.
 */
import { parseArgs } from 'node:util'
import { ISAS, type Isa } from '../../src/abi.ts'
import { requireThat } from '../../src/base/errors.ts'
import { builtModule } from '../support/kernels.ts'
import { compiled, oracle, type Engine } from './engine.ts'
import { checkFile, goldenFiles } from './folder.ts'
import { passed, printReport } from './report.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: 'string', default: 'relaxed' },
    oracle: { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
  },
})

async function engineOf(target: string): Promise<Engine> {
  requireThat((ISAS as readonly string[]).includes(target), '--target', `must be one of ${ISAS.join(', ')}`, target)
  return compiled(await builtModule(target as Isa), false)
}

requireThat(positionals.length === 1, 'golden', 'must be given one folder', positionals)
const engine = values.oracle ? oracle : await engineOf(values.target)
let [compared, beyond] = [0, 0]
for (const path of goldenFiles(positionals[0])) {
  const start = performance.now()
  const report = checkFile(path, engine)
  const failed = report.rows.filter((row) => !passed(row)).length
  compared += report.rows.length
  beyond += failed
  const lines = printReport(report, !values.brief)
  if (lines) console.log(lines)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  const verdict = report.rows.length === 0 ? 'none' : failed > 0 ? 'FAIL' : 'ok  '
  console.log(
    `${verdict} ${report.file} on ${engine.name}: ${report.rows.length} quantities, ${failed} beyond (${seconds} s)`,
  )
}
console.log(`${compared - beyond} passed, ${beyond} failed, 0 skipped`)
if (beyond > 0 || compared === 0) process.exitCode = 1
