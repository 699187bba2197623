/**
 * The sources of one kernel module: hand-written files as they stand, generated ones from templates, and an entry
 * that exports every kernel by its full name. Also reads from the sources what the manifest says of each kernel.
 */
import { ISAS, trialName, type Isa, type KernelEntry } from '../src/abi.ts'
import { requireThat } from '../src/base/errors.ts'
import { kernelName } from './name.ts'
import { HAND_WRITTEN, TEMPLATES, type TemplateRow } from './registry.ts'

export interface KernelSources {
  /** Virtual files by path, `entry.ts` among them; imports of `../lib/` resolve to assembly/lib. */
  files: Map<string, string>
  kernels: KernelEntry[]
}

/** What every module exports beside its kernels, by the file of assembly/ that has it. */
const COMMON: [file: string, names: string[]][] = [
  ['lib/threads', ['setPart']],
  ['lib/answers', ['startAnswer', 'fillAnswer', 'digestAnswer']],
]
export const COMMON_EXPORTS: readonly string[] = ['memory', ...COMMON.flatMap(([, names]) => names)]

/** What names are of a file: reads the text of `assembly/kernels/<name>.ts`. */
export type ReadKernel = (name: string) => string

/** Sources and manifest rows of one instruction set. */
export function emitKernels(
  isa: Isa,
  read: ReadKernel,
  handWritten: readonly string[] = HAND_WRITTEN,
  templates: readonly TemplateRow[] = TEMPLATES,
): KernelSources {
  requireThat(ISAS.includes(isa), 'emitKernels', `must be one of ${ISAS.join(', ')}`, isa)
  const files = new Map<string, string>()
  const kernels: KernelEntry[] = []
  const entry: string[] = []
  for (const template of templates.filter((row) => row.isa === isa)) {
    const path = `kernels/generated_${template.file}.ts`
    const families: string[] = []
    const source = template.source((family) => {
      families.push(family)
      return family
    })
    files.set(path, source)
    addFile(path, source, (family) => kernelName(family, template.tile, isa, template.trick), template.deterministic)
    requireThat(families.length > 0, path, 'must name at least one kernel')
  }
  for (const name of handWritten) {
    const path = `kernels/${name}.ts`
    const source = read(name)
    files.set(path, source)
    addFile(path, source, (family) => kernelName(family, '', isa, ''), true)
  }
  for (const [file, names] of COMMON) entry.push(`export { ${names.join(', ')} } from './${file}'`)
  // The first byte behind the kernels' own constants.
  entry.push('export function heapBase(): usize { return __heap_base }')
  files.set('entry.ts', entry.join('\n'))
  return { files, kernels }

  function addFile(path: string, source: string, nameOf: (family: string) => string, deterministic: boolean): void {
    for (const { family, params, parallel } of exportsOf(source, path)) {
      const name = nameOf(family)
      requireThat(!kernels.some((k) => k.name === name), path, 'must not export a kernel that stands elsewhere', name)
      kernels.push({ name, family, params, deterministic, parallel })
      const from = `from './${path.replace(/\.ts$/, '')}'`
      entry.push(`export { ${family} as ${name} } ${from}`)
      if (source.includes('export function trial(')) entry.push(`export { trial as ${trialName(name)} } ${from}`)
    }
  }
}

/** Matches calls of functions by which the code of a source asks for its share of the work: firstOf, or what calls it. */
function sharing(source: string): RegExp {
  const functions = Array.from(source.matchAll(/^function (\w+)\(.*?^\}$/gms))
  const callers = functions.filter(([text]) => /\bfirstOf\(/.test(text)).map(([, name]) => name)
  return new RegExp(`\\b(${['firstOf', ...callers].join('|')})\\(`)
}

/**
 * Exported kernels of a source: functions whose name has a `__` and types behind it. Those that ask for their share of
 * the work, themselves or by a function of the file, run on all threads.
 */
export function exportsOf(source: string, path: string): Pick<KernelEntry, 'family' | 'params' | 'parallel'>[] {
  const shares = sharing(source)
  const found = source.matchAll(/^export function (\w+__\w+)\(([^)]*)\): void \{$(.*?)^\}$/gms)
  return Array.from(found, ([, family, list, body]) => ({
    family,
    parallel: shares.test(body),
    params: list
      .split(',')
      .map((param) => param.trim())
      .filter((param) => param !== '')
      .map((param): [string, 'i32' | 'f32'] => {
        const [name, type] = param.split(':').map((part) => part.trim())
        requireThat(
          ['i32', 'usize', 'f32'].includes(type),
          `${path} ${family}`,
          'parameters must be i32, usize or f32',
          param,
        )
        return [name, type === 'f32' ? 'f32' : 'i32']
      }),
  }))
}
