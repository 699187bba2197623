/**
 * Every op of the forward graph, sorted: what the tests loop over. Gradient ops stand in the file of their op and are
 * reached through it.
 */
import type { Op } from '../graph/graph.ts'
import { addOp } from './add.ts'
import { addRowsOp } from './add_rows.ts'
import { matmulTernaryOp, quantizeRowsOp, ternarizeOp } from './bitlinear.ts'
import { concatFirstOp } from './concat_first.ts'
import { geluOp } from './gelu.ts'
import { gridPoolOp } from './grid_pool.ts'
import { matmulOp } from './matmul.ts'
import { meanRowsOp } from './mean_rows.ts'
import { mulChannelsOp } from './mul_channels.ts'
import { reluOp } from './relu.ts'
import { reshapeOp } from './reshape.ts'
import { swapAxesOp } from './swap_axes.ts'
import { takeFirstOp } from './take_first.ts'
import { tanhOp } from './tanh.ts'
import { weightedSumOp } from './weighted_sum.ts'

export const OPS: readonly Op[] = [
  addOp,
  addRowsOp,
  concatFirstOp,
  geluOp,
  gridPoolOp,
  matmulOp,
  matmulTernaryOp,
  meanRowsOp,
  mulChannelsOp,
  quantizeRowsOp,
  reluOp,
  reshapeOp,
  swapAxesOp,
  takeFirstOp,
  tanhOp,
  ternarizeOp,
  weightedSumOp,
]
