/**
 * Runs standalone modules in binaryen's wasm-shell, an interpreter in which no JavaScript engine compiles them. A script
 * calls every plan and compares the digests of its outputs with those of an executor.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Plan } from '../../src/abi.ts'
import { message } from '../../src/base/errors.ts'
import type { Executor } from '../../src/runtime/execute.ts'
import { argumentsOf, fillInputs, hex, type StandaloneHost } from './standalone.ts'

const SHELL = join(import.meta.dirname, '../../node_modules/binaryen/bin/wasm-shell')

/** Symbols of a run: the shell interprets, so inputs are short. */
const SHORT: Record<string, number> = { B: 1, T: 5, L: 2, N: 3 }

export interface ShellRun {
  /** As the module has them, see narrow(). */
  plans: readonly Plan[]
  /** Gives the results to compare with. */
  executor: Executor
  /** Rows of the vocabulary. */
  rows: number
  /** A module of the same model and batch that this engine runs: all have the same addresses. */
  addresses: StandaloneHost
  /** More commands of the script. */
  more?: readonly string[]
}

/** Runs every plan of a module for short inputs. Throws an Error with what the shell printed where one differs. */
export function runShell(wasm: Uint8Array, run: ShellRun): void {
  const commands = [...run.plans.flatMap((plan) => planCommands(plan, run)), ...(run.more ?? [])]
  const script = [`(module binary ${quoted(wasm)})`, '(register "model")', readerText(run.plans), ...commands]
  const folder = mkdtempSync(join(tmpdir(), 'bitgen-shell-'))
  const path = join(folder, 'standalone.wast')
  writeFileSync(path, script.join('\n'))
  const { status, stdout, stderr } = spawnSync(process.execPath, [SHELL, path], { encoding: 'utf8' })
  rmSync(folder, { recursive: true })
  const ran = `${stdout}${stderr}`.match(/CHECKING/g)?.length ?? 0
  // The shell counts what it invokes and what it asserts.
  const wanted = commands.filter((line) => /^\((assert|invoke)/.test(line)).length
  if (status !== 0 || ran !== wanted) {
    throw new Error(
      message('wasm-shell', `must run ${wanted} commands`, `${ran}, status ${status}\n${stdout}${stderr}`),
    )
  }
}

/** A second module on the memory of the first, by whose names the script calls: wasm-shell gives binary ones none. */
function readerText(plans: readonly Plan[]): string {
  const functions = plans.map((plan) => {
    const parameters = argumentsOf(plan, {}).map(() => '(param i32)')
    return `(func (export "${plan.name}") (import "model" "${plan.name}") ${parameters.join(' ')})`
  })
  return `(module $reader
  ${functions.join('\n  ')}
  (import "model" "memory" (memory 1))
  (func (export "digest") (param $at i32) (param $words i32) (result i32)
    (local $hash i32)
    (local.set $hash (i32.const 0x811c9dc5))
    (loop $next
      (local.set $hash (i32.mul (i32.xor (local.get $hash) (i32.load (local.get $at))) (i32.const 0x01000193)))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $next (local.tee $words (i32.sub (local.get $words) (i32.const 1)))))
    (local.get $hash)))`
}

/** Data segments of a further module write the inputs. */
function planCommands(plan: Plan, { executor, rows, addresses }: ShellRun): string[] {
  const symbols = Object.fromEntries(
    Object.entries(plan.symbols).map(([name, max]) => [name, Math.min(max, SHORT[name])]),
  )
  fillInputs(executor, plan, symbols, rows)
  const inputs = addresses.ports(plan, plan.inputs, symbols).map(({ buffer, at }) => {
    return `(data ${number(at)} ${quoted(executor.io(plan.name, buffer.name!, symbols))})`
  })
  executor.run(plan.name, symbols)
  return [
    `(module $${plan.name} (import "model" "memory" (memory 1)) ${inputs.join(' ')})`,
    `(invoke $reader "${plan.name}" ${argumentsOf(plan, symbols).map(number).join(' ')})`,
    ...addresses.ports(plan, plan.outputs, symbols).map(({ buffer, at, length }) => {
      const want = digestOf(executor.io(plan.name, buffer.name!, symbols))
      return `(assert_return (invoke $reader "digest" ${number(at)} ${number(length)}) ${number(want)})`
    }),
  ]
}

function number(value: number): string {
  return `(i32.const ${value})`
}

/** Bytes as a string of the text format. */
function quoted(data: ArrayBufferView): string {
  return `"${hex(data).replace(/../g, '\\$&')}"`
}

/** FNV-1a of 32-bit words, as in the text format above. */
function digestOf({ buffer, byteOffset, byteLength }: ArrayBufferView): number {
  const words = new Int32Array(buffer, byteOffset, byteLength / 4)
  return words.reduce((hash, word) => Math.imul(hash ^ word, 0x01000193), 0x811c9dc5 | 0)
}
