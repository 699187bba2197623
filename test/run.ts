/**
 * `npm test [-- PART...]`: runs every test file, or those whose path contains one of the parts. A file is a process
 * of its own, so that a crash or a trap is one failure; two run at a time. Ends with one line of counts.
 */
import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { tally, type Tally } from './tally.ts'

const ROOT = join(import.meta.dirname, '..')
/** Processes at a time: machines with two cores should stay busy and no more. */
const LANES = 2
/** A file that runs longer than this has hung; the counts of `npm run torture` take longer. */
const LIMIT_MS = 60_000 * Number(process.env.BITGEN_MINUTES ?? 10)

interface Outcome extends Tally {
  file: string
  output: string
  seconds: number
}

/** Runs a script of the project with tsx; resolves with what it printed. */
function runScript(file: string): Promise<{ output: string; code: number | null }> {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' }
    const child = spawn(process.execPath, ['--import', 'tsx', file], { cwd: ROOT, env, timeout: LIMIT_MS })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', (error) => (output += `${error.message}\n`))
    child.on('close', (code) => resolve({ output, code }))
  })
}

async function runFile(file: string): Promise<Outcome> {
  const start = performance.now()
  const { output, code } = await runScript(file)
  const seconds = (performance.now() - start) / 1000
  return { file, output, seconds, ...tally(readFileSync(join(ROOT, file), 'utf8'), output, code) }
}

function report({ file, passed, failed, skipped, problem, output, seconds }: Outcome): void {
  const counts = [`${passed} passed`, failed && `${failed} failed`, skipped && `${skipped} skipped`].filter(Boolean)
  console.log(`${failed > 0 ? 'FAIL' : 'ok  '} ${file}: ${counts.join(', ')} (${seconds.toFixed(1)} s)`)
  if (problem) console.log(`     ${file} ${problem}`)
  // Of a file that passed, only what it says itself of what it did not check.
  const shown =
    failed > 0 ? output.trimEnd().split('\n') : output.split('\n').filter((line) => /^(skipped|exempt)\b/.test(line))
  for (const line of shown) console.log(`     ${line}`)
}

const parts = process.argv.slice(2)
const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => `test/${file.replaceAll('\\', '/')}`)
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  .sort()

const build = await runScript('codegen/main.ts')
console.log(build.output.trimEnd())
const sum = { passed: 0, failed: 0, skipped: 0 }
if (build.code !== 0) {
  console.log('FAIL codegen/main.ts: kernels must compile before anything is tested')
  sum.failed++
} else {
  const waiting = [...files]
  const lane = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const outcome = await runFile(file)
      report(outcome)
      for (const key of ['passed', 'failed', 'skipped'] as const) sum[key] += outcome[key]
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  if (files.length === 0) console.log(`no test file${parts.length > 0 ? ` has ${parts.join(' or ')} in its path` : ''}`)
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
if (sum.failed > 0 || sum.passed === 0) process.exitCode = 1
