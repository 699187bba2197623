/**
 * `npm run build`, after the kernels: writes the package's scripts, their types and what the command `data` needs to
 * build/. Chunks of an earlier build are removed, or the package would carry them.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { BUILD, CORE, NODE, ROOT } from './bundles.ts'

for (const file of readdirSync(BUILD)) if (/^chunk-|\.map$/.test(file)) rmSync(join(BUILD, file))
await build(CORE)
await build(NODE)
rmSync(join(BUILD, 'types'), { recursive: true, force: true })
const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'codegen/types.json')], { stdio: 'inherit' })
cpSync(join(ROOT, 'src/built.d.ts'), join(BUILD, 'types/built.d.ts'))
cpSync(join(ROOT, 'src/data/emoji/sources'), join(BUILD, 'sources'), {
  recursive: true,
  filter: (path) => !path.includes('node_modules'),
})
