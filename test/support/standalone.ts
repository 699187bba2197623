/** An instantiated standalone module, driven through its exports the way that a host without the runtime would. */
import { view, type DType, type TensorData } from '../../src/base/dtype.ts'

type Exported = (...args: number[]) => number

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
}
