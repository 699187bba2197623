/**
 * `npm run gen`: builds the kernels (build-kernels.ts) unless their sources are unchanged. What compiles is imported only
 * then: through tsx that alone takes tens of seconds, and every command comes by here.
 */
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/** What decides the modules and their known answers: folders (their .ts files) and files. */
const SOURCES = [
  'asconfig.json',
  'package-lock.json',
  'assembly/checks',
  'assembly/kernels',
  'assembly/lib',
  'codegen',
  'codegen/templates',
  'src/abi.ts',
  'src/base',
  'src/graph',
  'src/ops',
  'src/plan',
  'src/quant',
  'src/runtime',
  'targets',
  'test/support',
]

function sourceDigest(): string {
  const hash = createHash('sha256')
  for (const name of SOURCES) {
    const path = join(ROOT, name)
    const isFile = /\.\w+$/.test(name)
    const scripts = isFile ? [] : readdirSync(path).filter((file) => file.endsWith('.ts'))
    const files = isFile ? [path] : scripts.sort().map((file) => join(path, file))
    for (const file of files) hash.update(file.slice(ROOT.length)).update(readFileSync(file))
  }
  return hash.digest('hex')
}

const digest = sourceDigest()
const stamp = join(ROOT, 'build', 'sources.sha256')
let built = ''
try {
  built = readFileSync(stamp, 'utf8')
} catch {
  // No build yet.
}
if (built === digest) console.log('kernels: up to date')
else {
  // A build that fails half way does not pass for the one before it.
  rmSync(stamp, { force: true })
  const { buildKernels } = await import('./build-kernels.ts')
  await buildKernels()
  writeFileSync(stamp, digest)
}
