/**
 * The import rule of the architecture, as one table, and what else every source file must hold. The scanner reads
 * text only, so that it also sees files that nothing imports; it is tested on sources broken on purpose.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Which parts of src a part may import, beside itself: base <- abi <- graph <- {ops, plan} <- model <- train, ... */
const INFERENCE = ['base', 'abi', 'quant', 'io']
const COMPILER = [...INFERENCE, 'graph', 'ops', 'plan']
const SUPPLY = ['base', 'abi', 'text', 'image', 'io']
const HOST = [...COMPILER, 'model', 'runtime', 'text', 'image', 'data']
const MAY_IMPORT: Record<string, readonly string[]> = {
  base: [],
  abi: ['base'],
  graph: ['base', 'abi'],
  // Gradients meet in sums, so plan/backward.ts needs an op; ops know nothing of plans.
  ops: ['base', 'abi', 'graph'],
  plan: ['base', 'abi', 'graph', 'ops'],
  quant: ['base', 'abi'],
  text: ['base', 'abi'],
  image: ['base', 'abi'],
  io: ['base', 'abi'],
  runtime: [...INFERENCE, 'text', 'image'],
  data: SUPPLY,
  model: COMPILER,
  train: [...HOST, 'evaluate', 'kernels', 'training-kernels'],
  evaluate: HOST,
  built: ['abi'],
  kernels: ['base', 'abi', 'runtime'],
  'training-kernels': ['abi', 'runtime', 'kernels'],
  core: ['base', 'abi', 'runtime', 'quant', 'io', 'image', 'kernels'],
  index: [...HOST, 'train', 'evaluate', 'core', 'kernels'],
  cli: [...HOST, 'train', 'evaluate', 'core', 'index', 'kernels', 'training-kernels'],
}
/** What codegen may take from src: it runs at build time and never meets the runtime. */
const CODEGEN_MAY_IMPORT = ['plan', 'graph', 'abi', 'base']
/** What src never imports. */
const OUTSIDE = /^(codegen|targets|test|bench|assembly)\//
/** Files that may import more, each with its reason. */
const EXCEPTIONS: Record<string, { parts: readonly string[]; reason: string }> = {
  'codegen/known-answers.ts': {
    parts: ['ops', 'runtime'],
    reason: 'runs the kernels that were just built, to record answers',
  },
  'codegen/standalone/build.ts': {
    parts: ['io', 'kernels', 'runtime', 'text'],
    reason: 'reads a model file as every device does, and lays out memory as the executor',
  },
  'codegen/build-kernels.ts': { parts: ['runtime'], reason: 'instantiates what it built, for the known answers' },
}
/** What must not be reachable from the entry for inference, which browsers and small hosts embed. */
const NOT_IN_CORE = [/^node:/, /^sharp$/, /^gpt-tokenizer/, /^src\/(graph|ops|plan|model|train|cli)\//]
const MAX_LINES = 300

/** Text of source files by path from the root, with forward slashes. */
type Sources = ReadonlyMap<string, string>

/** Modules that a source names in import and export declarations and in import(): local ones as paths from the root. */
function importsOf(path: string, text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  const named = code.matchAll(
    /(?:^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*|^\s*import\s*|\bimport\(\s*)['"]([^'"]+)['"]/gm,
  )
  return Array.from(named, ([, module]) => (module.startsWith('.') ? join(dirname(path), module) : module))
}

/** `ops` of src/ops/add.ts, `abi` of src/abi.ts, undefined outside of src. */
function partOf(path: string): string | undefined {
  return /^src\/([\w-]+)/.exec(path)?.[1]
}

/** Breaches of the import rule, one line each. */
function importBreaches(sources: Sources): string[] {
  const breaches: string[] = []
  for (const [path, text] of sources) {
    const part = partOf(path)
    const allowed = part === undefined ? undefined : MAY_IMPORT[part]
    if (part && !allowed) breaches.push(`${path}: src/${part} has no row in the table of imports`)
    for (const module of importsOf(path, text)) {
      const other = partOf(module)
      if (module.endsWith('.ts') && !sources.has(module)) breaches.push(`${path}: ${module} does not exist`)
      if (part && OUTSIDE.test(module)) breaches.push(`${path}: src must not import ${module}`)
      const foreign = other && other !== part && !EXCEPTIONS[path]?.parts.includes(other)
      if (allowed && foreign && !allowed.includes(other)) breaches.push(`${path}: ${part} must not import ${other}`)
      if (path.startsWith('codegen/') && foreign && !CODEGEN_MAY_IMPORT.includes(other)) {
        breaches.push(`${path}: codegen must not import ${other}`)
      }
    }
  }
  return breaches
}

/** Everything that the entry reaches and must not, with the file that names it. */
function coreBreaches(sources: Sources, entry = 'src/core.ts'): string[] {
  const breaches: string[] = []
  const seen = new Set<string>()
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    for (const module of importsOf(path, sources.get(path) ?? '')) {
      if (NOT_IN_CORE.some((pattern) => pattern.test(module)))
        breaches.push(`${path}: ${entry} must not reach ${module}`)
      else if (sources.has(module)) visit(module)
    }
  }
  visit(entry)
  return breaches
}

/** Files that are too long without a reason, have no header, or leave work to be done later. */
function styleBreaches(sources: Sources): string[] {
  return Array.from(sources).flatMap(([path, text]) => {
    const lines = text.split('\n').length - 1
    const head = text.slice(0, 800)
    return [
      ...(lines > MAX_LINES && !head.includes(`Longer than ${MAX_LINES} lines because`)
        ? [`${path}: has ${lines} lines and no reason`]
        : []),
      ...(text.startsWith('/**') || text.startsWith('#!') ? [] : [`${path}: must start with a header comment`]),
      ...(new RegExp('\\b(TO' + 'DO|FIX' + 'ME)\\b').test(text) ? [`${path}: leaves something to do`] : []),
    ]
  })
}

function readSources(): Sources {
  const folders = ['src', 'codegen', 'targets', 'assembly', 'bench', 'test'].filter((folder) => {
    return readdirSync(ROOT).includes(folder)
  })
  const paths = folders.flatMap((folder) =>
    readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' })
      .map((file) => `${folder}/${file.replaceAll('\\', '/')}`)
      .filter((file) => file.endsWith('.ts') && !file.includes('node_modules/')),
  )
  return new Map(paths.map((path) => [path, readFileSync(`${ROOT}${path}`, 'utf8')]))
}

const sources = readSources()

test('imports run one way', () => assert.equal(importBreaches(sources), []))

test('every exception from the rule is needed', () => {
  for (const [path, { parts }] of Object.entries(EXCEPTIONS)) {
    const used = importsOf(path, sources.get(path) ?? '').map(partOf)
    assert.equal(
      parts.filter((part) => !used.includes(part)),
      [],
      path,
    )
  }
})

test('the entry for inference reaches nothing of Node, of the compiler or of decoders', () => {
  if (sources.has('src/core.ts')) assert.equal(coreBreaches(sources), [])
})

test('files are short, have a header and leave nothing to do', () => assert.equal(styleBreaches(sources), []))

test('the scanner finds imports of every form, and none in comments', () => {
  const text = [
    "import type { A } from './a.ts'",
    "import {\n  b,\n} from '../b.ts'",
    "import 'node:fs'",
    'export * from "./c.ts"',
    "export { d } from './d.ts'",
    "const e = await import('./e.ts')",
    "// import { x } from './x.ts'",
    "/* import { y } from './y.ts' */",
  ].join('\n')
  assert.equal(importsOf('src/ops/z.ts', text), [
    'src/ops/a.ts',
    'src/b.ts',
    'node:fs',
    'src/ops/c.ts',
    'src/ops/d.ts',
    'src/ops/e.ts',
  ])
})

/** Files beside the one under test, so that its imports exist. */
const KNOWN = [
  'src/base/a.ts',
  'src/abi.ts',
  'src/graph/a.ts',
  'src/ops/a.ts',
  'src/plan/a.ts',
  'src/model/a.ts',
  'src/runtime/a.ts',
  'codegen/a.ts',
]

for (const [path, imported, message] of [
  ['src/base/b.ts', '../abi.ts', 'base must not import abi'],
  ['src/ops/b.ts', '../plan/a.ts', 'ops must not import plan'],
  ['src/runtime/b.ts', '../graph/a.ts', 'runtime must not import graph'],
  ['src/quant/b.ts', '../runtime/a.ts', 'quant must not import runtime'],
  ['src/model/b.ts', '../../codegen/a.ts', 'src must not import codegen/a.ts'],
  ['codegen/b.ts', '../src/runtime/a.ts', 'codegen must not import runtime'],
  ['src/base/b.ts', './none.ts', 'src/base/none.ts does not exist'],
  ['src/extra/b.ts', '../base/a.ts', 'src/extra has no row'],
]) {
  test(`refuses ${imported} in ${path}`, () => {
    const fake = new Map([...KNOWN.map((known): [string, string] => [known, '']), [path, `import '${imported}'`]])
    const breaches = importBreaches(fake)
    assert.is(breaches.length, 1)
    assert.match(breaches[0], message)
  })
}

test('refuses what the entry for inference reaches through other files', () => {
  const fake = new Map([
    ['src/core.ts', "export * from './runtime/a.ts'"],
    ['src/runtime/a.ts', "import { b } from './b.ts'"],
    ['src/runtime/b.ts', "import { readFileSync } from 'node:fs'\nimport sharp from 'sharp'\nimport '../ops/add.ts'"],
  ])
  assert.is(coreBreaches(fake).length, 3)
})

test('refuses long files without a reason, files without a header, and postponed work', () => {
  const long = `/** Longer. */\n${'\n'.repeat(MAX_LINES)}`
  assert.is(styleBreaches(new Map([['a.ts', long]])).length, 1)
  assert.is(
    styleBreaches(new Map([['a.ts', long.replace('Longer.', `Longer than ${MAX_LINES} lines because.`)]])).length,
    0,
  )
  assert.is(styleBreaches(new Map([['a.ts', 'const a = 1\n']])).length, 1)
  assert.is(styleBreaches(new Map([['a.ts', `/** A. */\n// ${'TO' + 'DO'}: b\n`]])).length, 1)
})

test.run()
