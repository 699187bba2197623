/**
 * The list of ops: tests and known answers run over it. Ops that only gradients use stand beside their forward op
 * and are reached through it.
 */
import type { Op } from '../graph/graph.ts'
import { addOp } from './add.ts'
import { matmulTernaryOp, quantizeRowsOp, ternarizeOp } from './bitlinear.ts'
import { geluOp } from './gelu.ts'
import { matmulOp } from './matmul.ts'

export const OPS: readonly Op[] = [addOp, geluOp, matmulOp, matmulTernaryOp, quantizeRowsOp, ternarizeOp]
