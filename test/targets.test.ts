/**
 * Targets are complete and listed, and `npm run verify` counts honestly: another digest is a failure, and what could not
 * be tried is skipped.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ISAS, type Isa } from '../src/abi.ts'
import { TARGETS as GENERATED } from '../codegen/registry.ts'
import { DEVICES, INSTRUCTION_SETS } from '../targets/list.ts'
import type { Proof } from '../targets/target.ts'
import { prove, succeeded } from './verify/prove.ts'
import { COLUMNS, summary } from './verify/summary.ts'
import { judge, statedDigest, Unavailable, type Way } from './verify/way.ts'

const ROOT = join(import.meta.dirname, '..')
const TARGETS = { ...INSTRUCTION_SETS, ...DEVICES }
const readme = readFileSync(join(ROOT, 'targets/README.md'), 'utf8')

test('every file of targets/ is listed under its name', () => {
  const files = readdirSync(join(ROOT, 'targets')).filter(
    (file) => !['README.md', 'list.ts', 'target.ts'].includes(file),
  )
  assert.equal(files.map((file) => file.replace(/\.ts$/, '')).sort(), Object.keys(TARGETS).sort())
})

test('the instruction sets are those that the generator builds and the runtime chooses from', () => {
  assert.equal(Object.keys(INSTRUCTION_SETS), [...ISAS])
  assert.equal(Object.values(INSTRUCTION_SETS), [...GENERATED])
})

for (const [name, target] of Object.entries(TARGETS)) {
  test(`${name} says what is known, how it is proved and what was verified`, () => {
    const isas: readonly Isa[] = 'isas' in target ? target.isas : [target.isa]
    assert.equal(
      isas,
      [...ISAS].reverse().filter((isa) => isas.includes(isa)),
      'the best first',
    )
    for (const text of [target.title, target.limits]) assert.ok(text.length > 0)
    assert.ok(target.facts.length > 0)
    for (const { says, source } of target.facts) assert.ok(says.length > 0 && source.length > 0, says)
    const proved = new Set(target.proofs.flatMap((proof) => proof.isas))
    assert.equal([...proved].sort(), [...isas].sort(), 'every instruction set has a proof, and no other')
    for (const { date, on, what } of target.verified) {
      assert.match(date, /^20\d\d-\d\d-\d\d$/)
      assert.ok(on.length > 0 && what.length > 0)
    }
    if ('engines' in target) assert.ok(target.engines.length > 0 && target.architecture.length > 0)
  })
}

test('the tables of the README are those of the data', () => {
  for (const name of Object.keys(INSTRUCTION_SETS)) assert.ok(readme.includes(`\n| \`${name}.ts\` | `), name)
  const rows = Object.entries(DEVICES).map(([name, device]) => `| ${summary(name, device).join(' | ')} |`)
  const want = [`| ${COLUMNS.join(' | ')} |`, `|${'---|'.repeat(COLUMNS.length)}`, ...rows].join('\n')
  const section = readme.split('\n## Devices\n')[1].split('\n## ')[0]
  assert.equal(
    section
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .join('\n'),
    want,
  )
})

test('only the digest of the model file is right', () => {
  const stated = statedDigest()
  assert.match(stated, /^[0-9a-f]{64}$/)
  const other = `${stated.slice(0, -1)}${stated.endsWith('0') ? '1' : '0'}`
  const results = [
    { isa: 'scalar' as const, digest: stated },
    { isa: 'simd128' as const, digest: other },
    { isa: 'relaxed' as const, problem: 'no such instructions' },
  ]
  const findings = judge({ engine: 'E', results }, 'engine')
  assert.equal(
    findings.map(({ ok }) => ok),
    [true, false, false],
  )
  assert.match(findings[2].found, 'no such instructions')
})

test('what fails and what could not be tried are counted apart, for every instruction set', async () => {
  const isas = ['simd128', 'scalar'] as const
  const proofs: Proof[] = (['node', 'chromium', 'firefox', 'wasm2c'] as const).map((by) => ({ by, isas }))
  const finds: Way = async () => [{ engine: 'E', isa: 'simd128', ok: true, found: 'it' }]
  const ways = {
    node: finds,
    chromium: async () => {
      throw new Unavailable('needs a package')
    },
    firefox: async () => {
      throw new Error('crashed')
    },
  }
  const lines: string[] = []
  const counts = await prove({ board: { ...DEVICES.armv7, proofs } }, ways, (line) => lines.push(line))
  // Of node, scalar was not found; wasm2c has no way.
  assert.equal(counts, { passed: 1, failed: 3, skipped: 4 })
  assert.equal(lines, [
    'ok   board: E: simd128: it',
    'FAIL board: node: scalar: nothing was found',
    'skip board: chromium: simd128, scalar: needs a package',
    'FAIL board: firefox: simd128, scalar: crashed',
    'skip board: wasm2c: simd128, scalar: not available in this checkout',
  ])
})

function verify(...args: string[]) {
  // Without PATH there is no browser.
  const env = { ...process.env, PATH: '', CHROME: '', FIREFOX: '' }
  const child = spawnSync(process.execPath, ['--import', 'tsx', 'test/verify/main.ts', ...args], {
    cwd: ROOT,
    env,
    encoding: 'utf8',
  })
  return { code: child.status, last: child.stdout.trim().split('\n').at(-1), ...child }
}

test('a failure always counts, what was skipped only where asked', () => {
  assert.is(succeeded({ passed: 1, failed: 0, skipped: 1 }, false), true)
  assert.is(succeeded({ passed: 1, failed: 0, skipped: 1 }, true), false)
  assert.is(succeeded({ passed: 1, failed: 1, skipped: 0 }, false), false)
})

test('the command says what is missing, and refuses a target that is none', () => {
  const { code, last, stdout } = verify('--strict', 'browser')
  assert.is(last, '0 passed, 0 failed, 6 skipped')
  assert.is(code, 1)
  assert.match(stdout, 'needs the Debian package firefox-esr')
  assert.match(stdout, 'Emulation says nothing about speed.')
  const wrong = verify('pi-6')
  assert.is(wrong.code, 2)
  assert.match(wrong.stderr, 'verify: a target must be all or one of scalar, ')
})

test.run()
