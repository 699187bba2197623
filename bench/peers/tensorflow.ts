/** TensorFlow.js on its WebAssembly backend: matMul in f32. It has no quantised product. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { folderOf } from './installed.ts'
import { GAMMA, TOLERANCE, transpose, type Contender, type Engine, type Product } from './product.ts'

interface TfTensor {
  dataSync(): Float32Array
}

/** What is used of the packages; their own types are there only where they are installed. */
interface Tf {
  setBackend(name: string): Promise<boolean>
  tensor2d(data: Float32Array, shape: readonly number[]): TfTensor
  matMul(a: TfTensor, b: TfTensor): TfTensor
  zeros(shape: readonly number[]): TfTensor
  dispose(tensors: TfTensor | TfTensor[]): void
  version_core: string
}
interface TfWasm {
  setWasmPaths(folder: string): void
  setThreadsCount(threads: number): void
}

const BACKEND = '@tensorflow/tfjs-backend-wasm'

export async function tensorflow(): Promise<Engine> {
  const require = createRequire(import.meta.url)
  // Both by require: as modules of two kinds they would not share the registry of backends.
  const tf = require('@tensorflow/tfjs-core') as Tf
  const wasm = require(BACKEND) as TfWasm
  wasm.setWasmPaths(join(folderOf(BACKEND), 'dist/'))
  wasm.setThreadsCount(1)
  await tf.setBackend('wasm')
  let weights: TfTensor | undefined
  return {
    name: 'TensorFlow.js wasm',
    about: `${tf.version_core}, wasm, simd128`,
    async contenders({ sizes: [M, K, N], x, codes }: Product): Promise<Contender[]> {
      if (weights) tf.dispose(weights)
      const w = tf.tensor2d(
        Float32Array.from(transpose(codes, N, K), (code) => GAMMA * code),
        [K, N],
      )
      weights = w
      const call = () => {
        const input = tf.tensor2d(x, [M, K])
        const y = tf.matMul(input, w)
        const data = y.dataSync()
        tf.dispose([input, y])
        return data
      }
      const idle = () => {
        const [input, y] = [tf.tensor2d(x, [M, K]), tf.zeros([M, N])]
        const data = y.dataSync()
        tf.dispose([input, y])
        return data
      }
      return [{ name: 'TensorFlow.js wasm f32', call, idle, tolerance: TOLERANCE.f32 }]
    },
  }
}
