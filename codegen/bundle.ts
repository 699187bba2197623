/**
 * `npm run build`, after the kernels: the package's scripts by esbuild and their types by tsc. What only the commands
 * need is bundled, so that an installed package has two dependencies; kernels stay modules of their own, loaded when
 * chosen.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '..')
const BUILD = join(ROOT, 'build')

const shared = {
  bundle: true,
  format: 'esm',
  outdir: BUILD,
  sourcemap: true,
  absWorkingDir: ROOT,
  logLevel: 'warning',
} as const

/** Kernels by the path that src/kernels.ts names; it holds from build/ too. */
const KERNEL_MODULES = '../build/kernels-*.js'

await build({
  ...shared,
  entryPoints: { core: 'src/core.ts' },
  external: [KERNEL_MODULES],
  platform: 'neutral',
  target: 'es2022',
  minify: true,
})
await build({
  ...shared,
  entryPoints: { index: 'src/index.ts', cli: 'src/cli/main.ts' },
  external: [KERNEL_MODULES, 'sharp', 'gpt-tokenizer'],
  platform: 'node',
  target: 'node20',
  splitting: true,
  chunkNames: 'chunk-[hash]',
  // CommonJS dependencies of the commands call require.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
})
rmSync(join(BUILD, 'types'), { recursive: true, force: true })
const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'codegen/types.json')], { stdio: 'inherit' })
cpSync(join(ROOT, 'src/built.d.ts'), join(BUILD, 'types/built.d.ts'))
cpSync(join(ROOT, 'src/data/emoji/sources'), join(BUILD, 'sources'), {
  recursive: true,
  filter: (path) => !path.includes('node_modules'),
})
