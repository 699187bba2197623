/**
 * The package's scripts as esbuild makes them: the entry for inference, which has no dependencies, and those for Node,
 * with what only the commands need bundled, so that an installed package has two. Kernels stay modules of their own,
 * loaded when chosen.
 */
import { join } from 'node:path'
import type { BuildOptions, Plugin } from 'esbuild'

export const ROOT = join(import.meta.dirname, '..')
export const BUILD = join(ROOT, 'build')

/** Kernels by the path that src/kernels.ts names; it holds from build/ too. */
const KERNEL_MODULES = '../build/kernels-*.js'

/** Threads are a script beside core.js, which is loaded where a model is worth several. */
const THREADS_ASIDE: Plugin = {
  name: 'threads aside',
  setup({ onResolve }) {
    onResolve({ filter: /\/threads\.ts$/ }, ({ kind }) => {
      return kind === 'dynamic-import' ? { path: './threads.js', external: true } : undefined
    })
  },
}

const SHARED = {
  bundle: true,
  format: 'esm',
  outdir: BUILD,
  absWorkingDir: ROOT,
  logLevel: 'warning',
} satisfies BuildOptions

export const CORE = {
  ...SHARED,
  entryPoints: { core: 'src/core.ts', threads: 'src/runtime/threads.ts' },
  external: [KERNEL_MODULES],
  plugins: [THREADS_ASIDE],
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
