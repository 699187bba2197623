/**
 * The list of ops: tests and known answers run over it. Ops that only gradients use stand beside their forward op
 * and are reached through it.
 */
import type { Op } from '../graph/graph.ts'
import { accumulateOp, zeroOp } from './accumulate.ts'
import { adamwOp } from './adamw.ts'
import { addOp } from './add.ts'
import { matmulTernaryOp, quantizeRowsOp, ternarizeOp } from './bitlinear.ts'
import { clampOp } from './clamp.ts'
import { contrastLossOp } from './contrast_loss.ts'
import { enqueueOp } from './enqueue.ts'
import { geluOp } from './gelu.ts'
import { globalNormOp } from './global_norm.ts'
import { matmulOp } from './matmul.ts'
import { retrievalAccuracyOp } from './retrieval_accuracy.ts'

export const OPS: readonly Op[] = [
  accumulateOp,
  adamwOp,
  addOp,
  clampOp,
  contrastLossOp,
  enqueueOp,
  geluOp,
  globalNormOp,
  matmulOp,
  matmulTernaryOp,
  quantizeRowsOp,
  retrievalAccuracyOp,
  ternarizeOp,
  zeroOp,
]
