/** The kernel modules with all kernels, as those of inference are (kernels.ts). */
import { kernelSource } from './kernels.ts'
import type { KernelSource } from './runtime/load.ts'

export const TRAINING_KERNELS: readonly KernelSource[] = [
  kernelSource('scalar', () => import('../build/kernels-scalar-training.js')),
  kernelSource('simd128', () => import('../build/kernels-simd128-training.js')),
  kernelSource('relaxed', () => import('../build/kernels-relaxed-training.js')),
]
