/**
 * `npm run bench -- page --out DIR`: the page of the benchmark as a folder to be served as it is; it asks for nothing
 * outside of it. Peaks are compiled here, since a device has no compiler.
 */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { ROOT } from '../../codegen/bundles.ts'
import { ISAS } from '../../src/abi.ts'
import { DEFAULT_MODEL } from '../../src/index.ts'
import { currentCommit } from '../../src/train/record.ts'
import { REPORT_STYLE } from '../../src/train/report-style.ts'
import { compilePeaks } from '../peak-modules.ts'

const STYLE = `${REPORT_STYLE}
header p { margin-bottom: 12px; }
button, #files a { font: inherit; padding: 8px 18px; border-radius: 8px; border: 1px solid var(--line);
  background: var(--blue); color: var(--page); text-decoration: none; cursor: pointer; }
button:disabled { opacity: 0.5; cursor: default; }
label { margin-left: 14px; }
#files { display: flex; flex-wrap: wrap; gap: 10px; }
progress { width: 100%; }
#results h2 { margin-top: 28px; }
#results h3 { margin-top: 18px; }
tbody th { white-space: normal; overflow-wrap: anywhere; }
@media (max-width: 600px) { table { font-size: 13px; } th, td { padding: 7px 10px; } main { padding: 24px 14px; } }
`

/** Writes the folder; throws what the file system throws. */
export async function buildPage(out: string): Promise<void> {
  mkdirSync(out, { recursive: true })
  await build({
    entryPoints: { page: 'bench/page/page.ts', worker: 'bench/page/worker.ts' },
    outdir: out,
    absWorkingDir: ROOT,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    define: { COMMIT: JSON.stringify(currentCommit()) },
    logLevel: 'warning',
  })
  for (const isa of ISAS) writeFileSync(join(out, `peaks-${isa}.wasm`), await compilePeaks(isa))
  copyFileSync(join(import.meta.dirname, 'index.html'), join(out, 'index.html'))
  copyFileSync(DEFAULT_MODEL, join(out, 'model.safetensors'))
  writeFileSync(join(out, 'style.css'), STYLE)
}
