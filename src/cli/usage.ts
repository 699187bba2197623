/**
 * Options of commands as text. The parser turns values that look like numbers into numbers; here they become text
 * again, so a file named 007 has to be written as ./007.
 */
import { errorText, message } from '../base/errors.ts'

/** A command that was called wrongly: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

export type Options = Record<string, unknown>

/** The value of an option, undefined where it was not given. Throws a UsageError where it was given twice. */
export function option(options: Options, name: string): string | undefined {
  const value = options[name]
  if (value === undefined) return undefined
  if (Array.isArray(value)) throw new UsageError(message(flag(name), 'must be given once', value))
  return String(value)
}

/** The value of an option as a number, undefined where it was not given. Throws a UsageError where it is none. */
export function numberOption(options: Options, name: string): number | undefined {
  const value = option(options, name)
  if (value === undefined) return undefined
  const number = Number(value)
  if (value.trim() === '' || !Number.isFinite(number)) {
    throw new UsageError(message(flag(name), 'must be a number', value))
  }
  return number
}

/** The first option of a command line whose value is empty: `--name ''` or `--name=`. */
export function emptyOption(args: readonly string[]): string | undefined {
  const end = args.indexOf('--')
  const options = end < 0 ? args : args.slice(0, end)
  const at = options.findIndex((arg, i) => /^--[^=]+=$/.test(arg) || (arg.startsWith('--') && options[i + 1] === ''))
  return options[at]?.replace(/=$/, '')
}

/** The value of an option that a command needs. Throws a UsageError where it is missing. */
export function requiredOption(options: Options, name: string): string {
  const value = option(options, name)
  if (value === undefined) throw new UsageError(message(flag(name), 'must be given'))
  return value
}

/** `topP` as it is written: `--top-p`. */
function flag(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** The error as one that names the file at fault and what it must be, unless it names the file already. */
export function errorAt(path: string, must: string, error: unknown): Error {
  const text = errorText(error)
  // As messages of ours and of Node do; a short path may be part of any word.
  const isNamed = text.includes(`${path}: `) || text.includes(`'${path}'`)
  return new Error(isNamed ? text : message(path, must, text), { cause: error })
}
