/** Our own side of `products`: the ternary product on one instruction set, through the same kernels that plans call. */
import { packedBytes, roundUp, type Isa } from '../../src/abi.ts'
import { KERNELS } from '../../src/kernels.ts'
import { packTernary } from '../../src/quant/ternary.ts'
import { loadKernels } from '../../src/runtime/load.ts'
import { GAMMA, TOLERANCE, type Contender, type Engine, type Product } from './product.ts'

export async function bitgen(isa: Isa): Promise<Engine> {
  const kernels = await loadKernels({ sources: KERNELS, target: isa })
  const kernel = (family: string) => kernels.function(kernels.entry(family, true))
  const [quantize, multiply] = [kernel('quantize_rows__f32'), kernel('matmul_nt__i8_t2')]
  return {
    name: `bitgen ${isa}`,
    about: `wasm, ${isa}`,
    async contenders({ sizes: [M, K, N], x, codes }: Product): Promise<Contender[]> {
      let next = roundUp(kernels.manifest.heapBase, 64)
      const place = (bytes: number): number => {
        const at = next
        next += roundUp(bytes, 64)
        kernels.reserve(next)
        return at
      }
      const stride = roundUp(K, 16)
      const [xAt, codesAt, absmaxAt, sumsAt] = [4 * M * K, M * stride, 4 * M, 4 * M].map(place)
      const [packedAt, gammaAt, yAt, scratchAt] = [packedBytes(N, K), 4, 4 * M * N, 16 * stride + 64].map(place)
      kernels.view('u8', packedAt, packedBytes(N, K)).set(packTernary(codes, N, K))
      kernels.view('f32', gammaAt, 1)[0] = GAMMA
      const given = () => multiply(codesAt, absmaxAt, sumsAt, packedAt, gammaAt, 0, yAt, scratchAt, M, K, N)
      const alone = () => {
        quantize(xAt, codesAt, absmaxAt, sumsAt, M, K)
        given()
      }
      const call = () => {
        kernels.view('f32', xAt, M * K).set(x)
        alone()
        return kernels.view('f32', yAt, M * N).slice()
      }
      return [{ name: `bitgen ${isa}`, call, alone, given, tolerance: TOLERANCE.int8 }]
    },
  }
}
