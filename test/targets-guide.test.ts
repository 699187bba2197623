/**
 * Follows targets/README.md to the letter: in a copy of targets/ it adds the file and the row, and the new device must be
 * listed and proved as the guide shows.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BUILD, CORE, ROOT } from '../codegen/bundles.ts'
import { statedDigest } from './verify/way.ts'
import { prove } from './verify/prove.ts'
import { summary } from './verify/summary.ts'
import { WAYS } from './verify/ways.ts'

const guide = readFileSync(join(ROOT, 'targets/README.md'), 'utf8')

/** Contents of the fenced block with this information string. */
function block(info: string): string {
  const found = guide.split(`\n\`\`\`${info}\n`)[1]?.split('\n```')[0]
  assert.ok(found, `the guide must have a block ${info}`)
  return found
}

/** The list with the device of the guide, from a copy of targets/. */
async function listWithGuide(): Promise<typeof import('../targets/list.ts')> {
  const folder = mkdtempSync(join(BUILD, 'targets-guide-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(ROOT, 'targets'), folder, { recursive: true })
  writeFileSync(join(folder, 'netbook.ts'), block('ts file=targets/netbook.ts'))
  const path = join(folder, 'list.ts')
  const list = readFileSync(path, 'utf8')
  const [head, devices] = list.split(/^(?=export const DEVICES)/m)
  const row = devices.replace('{\n', (brace) => `${brace}  ${block('ts row')}\n`)
  writeFileSync(path, `${block('ts import')}\n${head}${row}`)
  return import(path)
}

const { DEVICES } = await listWithGuide()

test('the device of the guide is listed as it shows', () => {
  assert.is(`| ${summary('netbook', DEVICES.netbook).join(' | ')} |`, block('text list'))
})

test('the device of the guide is proved as it shows', async () => {
  await build(CORE)
  const lines: string[] = []
  const { netbook } = DEVICES
  const { passed, failed, skipped } = await prove({ netbook }, WAYS, (line) => lines.push(line))
  // Versions, architecture and model are those of this machine.
  const expected = block('text verify')
    .replaceAll(/Node \S+ \w+/g, `Node ${process.versions.node} ${process.arch}`)
    .replaceAll(/[0-9a-f]{16}/g, statedDigest().slice(0, 16))
  assert.is(lines.join('\n'), expected)
  assert.equal([passed, failed, skipped], [2, 0, 0])
})

test.run()
