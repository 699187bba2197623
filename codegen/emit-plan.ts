/**
 * A plan as AssemblyScript: one call a line, with addresses and sizes as constants, for a standalone module. What
 * runtime/execute.ts does at every run with the same plan, and to the bit. Bakes dispatch away, which is for hosts
 * without JavaScript: the time is in the kernels, and they are the same.
 */
import type { Arg, Call, KernelEntry, Plan, PlanBuffer } from '../src/abi.ts'
import { requireThat } from '../src/base/errors.ts'
import { each } from './text.ts'

/** The source of a plan, and what it exports. */
export interface EmittedPlan {
  name: string
  source: string
  /** Of the function, in order: the symbols whose largest value is above 1. */
  parameters: { name: string; max: number }[]
  ports: Port[]
}

/** An input or output: `address` names a constant, `bytes` are those at the largest symbols. */
export interface Port {
  address: string
  buffer: PlanBuffer
  at: number
}

/**
 * A module with the function `plan.name`, and for each input and output the constants `<plan>_<name>` (address) and
 * `<plan>_<name>_bytes`; what is no letter or digit in a name becomes `_`. The function traps where a symbol is not from
 * 1 to its largest value. `at` are the addresses of the buffers; `kernelOf` gives what serves a family, as an export of
 * `./kernels`. Throws a RangeError where a name is none in AssemblyScript, or two become the same.
 */
export function emitPlan(plan: Plan, at: readonly number[], kernelOf: (family: string) => KernelEntry): EmittedPlan {
  const ports = portsOf(plan, at)
  const kernels = new Map(plan.calls.map(({ k }) => [k, kernelOf(k).name]))
  const symbols = Object.entries(plan.symbols).map(([name, max]) => ({ name: identifier(name, plan.name), max }))
  const parameters = symbols.filter(({ max }) => max > 1)
  const fixed = symbols.filter(({ max }) => max === 1)
  const imported = [...new Set(kernels.values())]
  const lines = [
    ...fixed.map(({ name }) => `const ${name} = 1`),
    ...parameters.map(({ name, max }) => `if (<u32>(${name} - 1) >= ${max}) unreachable()`),
    ...plan.calls.map((call) => emitCall(call, kernels.get(call.k)!, at)),
  ]
  const source = `/** Plan ${plan.name}. */
import {
  ${each(imported.length, (i) => `${imported[i]},`, '  ')}
} from './kernels'

${each(ports.length, (i) => emitPort(ports[i]))}

export function ${identifier(plan.name, plan.name)}(${parameters.map(({ name }) => `${name}: i32`).join(', ')}): void {
  ${each(lines.length, (i) => lines[i], '  ')}
}
`
  return { name: plan.name, source, parameters, ports }
}

function portsOf(plan: Plan, at: readonly number[]): Port[] {
  const ports = plan.buffers.flatMap((buffer, i): Port[] => {
    if (buffer.segment !== 'io') return []
    return [{ address: identifier(`${plan.name}_${buffer.name}`, plan.name), buffer, at: at[i] }]
  })
  const names = ports.map(({ address }) => address)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  requireThat(
    twice === undefined,
    `plan ${plan.name}`,
    'no two inputs or outputs may have one name when emitted',
    twice,
  )
  return ports
}

function identifier(name: string, plan: string): string {
  const made = name.replace(/\W/g, '_')
  requireThat(/^[A-Za-z]/.test(made), `plan ${plan}`, 'names must begin with a letter', name)
  return made
}

function emitPort({ address, buffer, at }: Port): string {
  return `// ${buffer.dtype} [${buffer.shape}]
export const ${address}: usize = ${at}
export const ${address}_bytes: usize = ${buffer.bytes}`
}

function emitCall({ a }: Call, kernel: string, at: readonly number[]): string {
  return `${kernel}(${a.map((arg) => emitArg(arg, at)).join(', ')})`
}

/** A dimension is a product already, of numbers and symbols. */
function emitArg(arg: Arg, at: readonly number[]): string {
  if (typeof arg === 'object') return String(at[arg.at] + (arg.plus ?? 0))
  return typeof arg === 'number' ? String(arg) : arg.split('*').join(' * ')
}
