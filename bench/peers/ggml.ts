/**
 * TQ2_0 of ggml, native: node-llama-cpp offers models, not products, so the product is asked of the ggml that its
 * package brings, by its C interface. A block is 256 weights of a row with one scale in half precision; activations are
 * quantised inside. Linux on x86-64 alone.
 */
import { createRequire } from 'node:module'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { requireThat } from '../../src/base/errors.ts'
import { folderOf, versionOf } from './installed.ts'
import { GAMMA, TOLERANCE, type Contender, type Engine, type Product } from './product.ts'

type Native = (...args: unknown[]) => unknown
/** What is used of koffi, which calls C. Version 2: 3.3.4 crashed here on Node 24 after some thousand calls. */
interface Koffi {
  load(path: string): { func(definition: string): Native }
  struct(name: string, members: Record<string, string>): unknown
  view(pointer: unknown, bytes: number): ArrayBuffer
}

const PACKAGE = '@node-llama-cpp/linux-x64'
/** enum ggml_type. */
const F32 = 0
const TQ2_0 = 35
const BLOCK = 256

/** The build for the richest instruction set that this processor has, chosen as ggml itself does, by its score. */
function bestBuild(koffi: Koffi, folder: string): string {
  const scored = readdirSync(folder).flatMap((file) => {
    if (!file.startsWith('libggml-cpu-')) return []
    return [{ file, score: koffi.load(join(folder, file)).func('int ggml_backend_score()')() as number }]
  })
  const [best] = scored.sort((a, b) => b.score - a.score)
  requireThat(best?.score > 0, 'ggml', 'a build for this processor must be there', scored)
  return best.file
}

export async function ggml(): Promise<Engine> {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const folder = join(folderOf(PACKAGE), 'bins/linux-x64')
  const base = koffi.load(join(folder, 'libggml-base.so'))
  const build = bestBuild(koffi, folder)
  const cpu = koffi.load(join(folder, build))
  koffi.struct('ggml_init_params', { mem_size: 'size_t', mem_buffer: 'void *', no_alloc: 'bool' })
  const init = base.func('void *ggml_init(ggml_init_params params)')
  const free = base.func('void ggml_free(void *context)')
  const tensor = base.func('void *ggml_new_tensor_2d(void *context, int type, int64_t columns, int64_t rows)')
  const dataOf = base.func('void *ggml_get_data(void *tensor)')
  const pack = base.func(
    'size_t ggml_quantize_chunk(int type, float *from, void *to, int64_t start, int64_t rows, int64_t columns, void *none)',
  )
  const multiply = base.func('void *ggml_mul_mat(void *context, void *w, void *x)')
  const newGraph = base.func('void *ggml_new_graph(void *context)')
  const expand = base.func('void ggml_build_forward_expand(void *graph, void *tensor)')
  const compute = base.func('int ggml_backend_graph_compute(void *backend, void *graph)')
  const backend = cpu.func('void *ggml_backend_cpu_init()')()
  cpu.func('void ggml_backend_cpu_set_n_threads(void *backend, int threads)')(backend, 1)
  let context: unknown
  return {
    name: 'ggml',
    about: `of node-llama-cpp ${versionOf(PACKAGE)}, native, ${build}`,
    async contenders({ sizes: [M, K, N], x, codes }: Product): Promise<Contender[]> {
      requireThat(K % BLOCK === 0, 'TQ2_0', `K must be a multiple of ${BLOCK}`, K)
      if (context) free(context)
      context = init({ mem_size: 4 * (M * K + N * K + M * N) + 2 ** 20, mem_buffer: null, no_alloc: false })
      const [w, input] = [tensor(context, TQ2_0, K, N), tensor(context, F32, K, M)]
      pack(
        TQ2_0,
        Float32Array.from(codes, (code) => GAMMA * code),
        dataOf(w),
        0,
        N,
        K,
        null,
      )
      const y = multiply(context, w, input)
      const graph = newGraph(context)
      expand(graph, y)
      const floats = (of: unknown, count: number) => new Float32Array(koffi.view(dataOf(of), 4 * count))
      const [from, to] = [floats(input, M * K), floats(y, M * N)]
      const alone = () => compute(backend, graph)
      const call = () => {
        from.set(x)
        alone()
        return to.slice()
      }
      return [{ name: 'ggml TQ2_0', call, alone, tolerance: TOLERANCE.int8 }]
    },
  }
}
