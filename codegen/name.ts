/** Kernel names: `op[_grad]__types[__tile]__isa[_trick]`; the family is `op[_grad]__types`. */
import type { Isa } from '../src/abi.ts'

export function kernelName(family: string, tile: string, isa: Isa, trick: string): string {
  return [family, tile, trick ? `${isa}_${trick}` : isa].filter((part) => part !== '').join('__')
}
