/**
 * `npm run verify -- [--strict] TARGET... | all`: proves that targets give the bits that the shipped model states, under
 * emulation where there is no such hardware. Without a target it lists them. `--strict` fails where a proof was skipped.
 */
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { CORE } from '../../codegen/bundles.ts'
import { message } from '../../src/base/errors.ts'
import { table } from '../../src/cli/table.ts'
import { DEVICES, INSTRUCTION_SETS } from '../../targets/list.ts'
import { prove, succeeded } from './prove.ts'
import { COLUMNS, summary } from './summary.ts'
import { WAYS } from './ways.ts'

const TARGETS = { ...INSTRUCTION_SETS, ...DEVICES }

const { values, positionals } = parseArgs({ options: { strict: { type: 'boolean' } }, allowPositionals: true })
const names = positionals.includes('all') ? Object.keys(TARGETS) : positionals
const unknown = names.find((name) => !(name in TARGETS))

if (unknown !== undefined) {
  console.error(message('verify', `a target must be all or one of ${Object.keys(TARGETS).join(', ')}`, unknown))
  process.exitCode = 2
} else if (names.length === 0) {
  console.log(table([COLUMNS, ...Object.entries(TARGETS).map(([name, target]) => summary(name, target))]))
  console.log('\nnpm run verify -- TARGET... proves one or some, all proves every one')
} else {
  await build(CORE)
  const chosen = Object.fromEntries(names.map((name) => [name, TARGETS[name]]))
  const counts = await prove(chosen, WAYS, console.log)
  console.log('\nBits were compared. Emulation says nothing about speed.')
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  if (!succeeded(counts, values.strict === true)) process.exitCode = 1
}
