/** An instantiated standalone module, driven through its exports the way that a host without the runtime would. */
import type { Plan, PlanBuffer } from '../../src/abi.ts'
import { view, type DType, type TensorData } from '../../src/base/dtype.ts'
import { Stream, USE } from '../../src/base/rng.ts'
import { size, type Symbols } from '../../src/base/shape.ts'
import type { Executor } from '../../src/runtime/execute.ts'

type Exported = (...args: number[]) => number

/** An input or output of a plan where a module has it. */
interface PlacedPort {
  buffer: PlanBuffer
  at: number
  /** Elements with the symbols that were asked for. */
  length: number
}

export class StandaloneHost {
  private readonly exports: WebAssembly.Exports

  constructor(wasm: Uint8Array<ArrayBuffer>) {
    this.exports = new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports
  }

  /** Calls an exported function. */
  call(name: string, ...args: number[]): number {
    return (this.exports[name] as Exported)(...args)
  }

  /** The value of an exported constant, such as the address of an input. */
  constant(name: string): number {
    return (this.exports[name] as WebAssembly.Global<'f64'>).value
  }

  /** A fresh view of memory. */
  view(dtype: DType, at: number, length: number): TensorData {
    return view(dtype, (this.exports.memory as WebAssembly.Memory).buffer, at, length)
  }

  /** Those of a plan that have these names. */
  ports(plan: Plan, names: readonly string[], symbols: Symbols): PlacedPort[] {
    const buffers = plan.buffers.filter(({ name, segment }) => segment === 'io' && names.includes(name!))
    return buffers.map((buffer) => {
      const address = `${plan.name}_${buffer.name!.replaceAll('.', '_')}`
      return { buffer, at: this.constant(address), length: size(buffer.shape, symbols) }
    })
  }
}

/** What the function of a plan is called with: symbols of which there is more than one value. */
export function argumentsOf(plan: Plan, symbols: Symbols): number[] {
  return Object.keys(plan.symbols).flatMap((symbol) => (plan.symbols[symbol] > 1 ? [symbols[symbol]] : []))
}

/** Symbols to run a plan with: of lengths the shortest and the longest, each for 1 and for `batch` items. */
export function symbolsOf({ symbols }: Plan, batch: number): Symbols[] {
  const { T = 1, L } = symbols
  const lengths = L === undefined ? [{ T: 1 }, { T }] : [1, L].map((past) => ({ L: past, N: past + 1 }))
  return lengths.flatMap((length) => [1, batch].map((B) => ({ B, ...length })))
}

/** Writes inputs of a plan that follow from a seed, as its kernels may be given them; ids are below `rows`. */
export function fillInputs(executor: Executor, plan: Plan, symbols: Symbols, rows: number): void {
  const stream = new Stream(1, 0, 0, USE.init)
  const draw = (most: number) => Math.floor(stream.next() * most)
  const whole: Record<string, () => number> = {
    ids: () => draw(rows),
    lengths: () => 1 + draw(symbols.T),
    position: () => symbols.L ?? 0,
    visible: () => 1 + draw(4),
  }
  for (const name of plan.inputs) {
    const input = executor.io(plan.name, name, symbols)
    const next = whole[name] ?? (() => stream.normal())
    for (let i = 0; i < input.length; i++) input[i] = next()
  }
}

/** Bytes as hex digits. */
export function hex({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex')
}
