/**
 * Every op of the forward graph, sorted: what tests, benches and known answers loop over. Ops that only gradients use
 * stand in the file of their op and are reached through it.
 */
import type { Op } from '../graph/graph.ts'
import { accumulateOp, zeroOp } from './accumulate.ts'
import { adamwOp } from './adamw.ts'
import { addOp } from './add.ts'
import { addRowsOp } from './add_rows.ts'
import { addSamplesOp } from './add_samples.ts'
import { addScaledOp } from './add_scaled.ts'
import { attentionOp } from './attention.ts'
import { matmulTernaryOp, quantizeRowsOp, ternarizeOp } from './bitlinear.ts'
import { clampOp } from './clamp.ts'
import { concatOp, sliceOp } from './concat.ts'
import { concatFirstOp } from './concat_first.ts'
import { contrastLossOp } from './contrast_loss.ts'
import { crossEntropyOp } from './cross_entropy.ts'
import { drawNegativesOp } from './draw_negatives.ts'
import { embeddingOp, markTouchedOp } from './embedding.ts'
import { enqueueOp } from './enqueue.ts'
import { geluOp } from './gelu.ts'
import { globalNormOp } from './global_norm.ts'
import { gridPoolOp } from './grid_pool.ts'
import { groupNormOp } from './group_norm.ts'
import { im2colOp } from './im2col.ts'
import { l2NormalizeOp } from './l2_normalize.ts'
import { layerNormOp } from './layer_norm.ts'
import { matchingPairsOp } from './matching_pairs.ts'
import { matmulOp } from './matmul.ts'
import { meanRowsOp } from './mean_rows.ts'
import { memoryEpisodesOp } from './memory_episodes.ts'
import { mulChannelsOp } from './mul_channels.ts'
import { multiplyOp } from './multiply.ts'
import { patchesOp } from './patches.ts'
import { reluOp } from './relu.ts'
import { reshapeOp } from './reshape.ts'
import { resizePositionsOp } from './resize_positions.ts'
import { retrievalAccuracyOp } from './retrieval_accuracy.ts'
import { rmsNormOp } from './rms_norm.ts'
import { roundRowsOp } from './round_rows.ts'
import { scaleByOp } from './scale_by.ts'
import { scaleRowsOp } from './scale_rows.ts'
import { swapAxesOp } from './swap_axes.ts'
import { takeFirstOp } from './take_first.ts'
import { takeRowsOp } from './take_rows.ts'
import { tanhOp } from './tanh.ts'
import { vocabularyLossOp } from './vocabulary_loss.ts'
import { weightedSumOp } from './weighted_sum.ts'

export const OPS: readonly Op[] = [
  accumulateOp,
  adamwOp,
  addOp,
  addRowsOp,
  addSamplesOp,
  addScaledOp,
  attentionOp,
  clampOp,
  concatFirstOp,
  concatOp,
  contrastLossOp,
  crossEntropyOp,
  drawNegativesOp,
  embeddingOp,
  enqueueOp,
  geluOp,
  globalNormOp,
  gridPoolOp,
  groupNormOp,
  im2colOp,
  l2NormalizeOp,
  layerNormOp,
  markTouchedOp,
  matchingPairsOp,
  matmulOp,
  matmulTernaryOp,
  meanRowsOp,
  memoryEpisodesOp,
  mulChannelsOp,
  multiplyOp,
  patchesOp,
  quantizeRowsOp,
  reluOp,
  reshapeOp,
  resizePositionsOp,
  retrievalAccuracyOp,
  rmsNormOp,
  roundRowsOp,
  scaleByOp,
  scaleRowsOp,
  sliceOp,
  swapAxesOp,
  takeFirstOp,
  takeRowsOp,
  tanhOp,
  ternarizeOp,
  vocabularyLossOp,
  weightedSumOp,
  zeroOp,
]
