/**
 * What all benches that measure share: which targets, what goes to stdout, what is kept. A bench measures one target at
 * a time and gives a section of its results file.
 */
import { ISAS, type Isa } from '../src/abi.ts'
import { errorText } from '../src/base/errors.ts'
import { KERNELS } from '../src/kernels.ts'
import { forcedTarget, KernelError, loadKernels } from '../src/runtime/load.ts'
import { parseFlags, type FlagName, type Flags } from './flags.ts'
import { describe, machine, type Machine } from './machine.ts'
import { saveSection, type BenchName, type Results } from './results.ts'

type Section<Name extends BenchName> = NonNullable<Results[Name]>

export interface Bench<Name extends BenchName> {
  /** Beside --target, --json, --save and --quick. */
  flags: readonly FlagName[]
  /** Without --target: every instruction set that works here, the best, or all that were built, where nothing is run. */
  targets: 'working' | 'best' | 'built'
  /** Measures on one target; `note` takes lines for people as they come. */
  measure(target: Isa, flags: Flags, note: (line: string) => void): Promise<Omit<Section<Name>, 'machine'>>
  /** What --json prints; default: the sections. */
  json?(sections: Section<Name>[]): unknown
  /** Throws where what was measured must not be. */
  check?(section: Section<Name>): void
}

/** The command of a bench. With --json stdout has nothing but JSON, and lines for people go to stderr. */
export function command<Name extends BenchName>(name: Name, bench: Bench<Name>): (args: string[]) => Promise<void> {
  return async (args) => {
    const flags = parseFlags(name, args, ['target', 'json', 'save', 'quick', ...bench.flags])
    const note = flags.json ? console.error : console.log
    const on: Machine = machine()
    note(describe(on))
    const sections: Section<Name>[] = []
    for (const target of await targetsOf(bench, flags, note)) {
      note(`${name}, ${target}`)
      const section = { machine: on, ...(await bench.measure(target, flags, note)) } as Section<Name>
      sections.push(section)
      if (flags.save) note(`written to ${saveSection(target, name, section)}`)
    }
    if (flags.json) console.log(JSON.stringify(bench.json?.(sections) ?? sections, null, 1))
    for (const section of sections) bench.check?.(section)
  }
}

/** Those asked for, of which those that work on this engine; throws a KernelError where the one named does not. */
async function targetsOf(
  { targets }: Pick<Bench<BenchName>, 'targets'>,
  { target }: Flags,
  note: (line: string) => void,
): Promise<Isa[]> {
  const forced = forcedTarget(target)
  if (targets === 'built') return forced ? [forced] : [...ISAS]
  const load = async (isa?: Isa) => (await loadKernels({ sources: KERNELS, target: isa })).manifest.isa
  if (forced || targets === 'best') return [await load(forced)]
  const working: Isa[] = []
  for (const isa of ISAS) {
    try {
      working.push(await load(isa))
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      note(`${isa}: left out. ${errorText(error)}`)
    }
  }
  return working
}
