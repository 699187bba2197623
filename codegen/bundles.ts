/**
 * The package's scripts as esbuild makes them: the entry for inference, which has no dependencies, and those for Node,
 * with what only the commands need bundled, so that an installed package has two. Kernels stay modules of their own,
 * loaded when chosen.
 */
import { join } from 'node:path'
import type { BuildOptions } from 'esbuild'

export const ROOT = join(import.meta.dirname, '..')
export const BUILD = join(ROOT, 'build')

/** Kernels by the path that src/kernels.ts names; it holds from build/ too. */
const KERNEL_MODULES = '../build/kernels-*.js'

const SHARED = {
  bundle: true,
  format: 'esm',
  outdir: BUILD,
  absWorkingDir: ROOT,
  logLevel: 'warning',
} satisfies BuildOptions

export const CORE = {
  ...SHARED,
  entryPoints: { core: 'src/core.ts' },
  external: [KERNEL_MODULES],
  platform: 'neutral',
  target: 'es2022',
  minify: true,
  sourcemap: true,
} satisfies BuildOptions

export const NODE = {
  ...SHARED,
  entryPoints: { index: 'src/index.ts', cli: 'src/cli/main.ts' },
  external: [KERNEL_MODULES, 'sharp', 'gpt-tokenizer'],
  platform: 'node',
  target: 'node20',
  splitting: true,
  chunkNames: 'chunk-[hash]',
  // CommonJS dependencies of the commands call require.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
} satisfies BuildOptions
