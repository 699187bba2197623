/** The flags of all benches, parsed in one place; each bench names those that it takes. */
import { parseArgs } from 'node:util'
import { ISAS, type Isa } from '../src/abi.ts'
import { errorText, message, requireThat } from '../src/base/errors.ts'
import { PRESETS, type PresetName } from '../src/model/config.ts'

const FLAGS = {
  /** Instruction set of the kernels. */
  target: { type: 'string' },
  /** Results as JSON on stdout, and nothing else there. */
  json: { type: 'boolean', default: false },
  /** Keeps the results in bench/results. */
  save: { type: 'boolean', default: false },
  /** Fewer and shorter samples: a smoke test. */
  quick: { type: 'boolean', default: false },
  /** A model file. */
  model: { type: 'string' },
  /** A model of these sizes and random weights instead. */
  preset: { type: 'string' },
  /** A training configuration. */
  config: { type: 'string' },
  /** Pictures of a step. */
  batch: { type: 'string' },
  /** Where to write. */
  out: { type: 'string' },
  /** One part of a bench. */
  only: { type: 'string' },
  /** Numbers of rows of a product, as `1,16`. */
  rows: { type: 'string' },
  /** Threads beside one. */
  threads: { type: 'string' },
  /** A checkpoint, and two to stand beside it. */
  checkpoint: { type: 'string' },
  'float-twin': { type: 'string' },
  control: { type: 'string' },
  /** Folder of the emoji corpus. */
  data: { type: 'string' },
  /** Compares results and times nothing. */
  check: { type: 'boolean', default: false },
} as const

/** The parts of `bench peers`. */
const PARTS = ['products', 'encode', 'start'] as const

export type FlagName = keyof typeof FLAGS

export interface Flags {
  target?: Isa
  json: boolean
  save: boolean
  quick: boolean
  model?: string
  preset?: PresetName
  config?: string
  batch?: number
  out?: string
  only?: (typeof PARTS)[number]
  rows?: number[]
  threads?: number
  checkpoint?: string
  'float-twin'?: string
  control?: string
  data?: string
  check: boolean
  /** What stands beside the flags. */
  words: string[]
}

/** Throws an Error that begins with `bench NAME` for an unknown flag or a value that does not fit. */
export function parseFlags(name: string, args: string[], allowed: readonly FlagName[], words = 0): Flags {
  const options = Object.fromEntries(allowed.map((flag) => [flag, FLAGS[flag]]))
  let parsed
  try {
    parsed = parseArgs({ args, options, allowPositionals: words > 0 })
  } catch (error) {
    const taken = allowed.map((flag) => `--${flag}`).join(', ') || 'no flags'
    throw new Error(message(`bench ${name}`, `takes ${taken}`, errorText(error)))
  }
  const most = parsed.positionals.length <= words
  requireThat(most, `bench ${name}`, `takes at most ${words} words beside its flags`, parsed.positionals)
  const { target, preset, batch, threads, only, rows, ...rest } = parsed.values as Record<string, string | undefined>
  const where = (flag: FlagName) => `bench ${name}: --${flag}`
  requireThat(oneOf(target, ISAS), where('target'), `must be one of ${ISAS.join(', ')}`, target)
  const presets = Object.keys(PRESETS) as PresetName[]
  requireThat(oneOf(preset, presets), where('preset'), `must be one of ${presets.join(', ')}`, preset)
  const fromTwo = (flag: FlagName, text: string | undefined) => {
    const number = text === undefined ? undefined : Number(text)
    const fits = number === undefined || (Number.isSafeInteger(number) && number >= 2)
    requireThat(fits, where(flag), 'must be a whole number from 2', text)
    return number
  }
  requireThat(oneOf(only, PARTS), where('only'), `must be one of ${PARTS.join(', ')}`, only)
  const counts = rows?.split(',').map(Number)
  const areCounts = counts?.every((count) => Number.isSafeInteger(count) && count > 0) ?? true
  requireThat(areCounts, where('rows'), 'must be whole numbers from 1, as 1,16', rows)
  const off = { json: false, save: false, quick: false, check: false }
  const numbers = { batch: fromTwo('batch', batch), threads: fromTwo('threads', threads), rows: counts }
  return { ...off, ...rest, ...numbers, target, preset, only, words: parsed.positionals }
}

function oneOf<T extends string>(value: string | undefined, list: readonly T[]): value is T | undefined {
  return value === undefined || (list as readonly string[]).includes(value)
}
