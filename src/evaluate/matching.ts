/**
 * Accuracy of image-text matching (model.md section 9). Two thirds of the pairs of a batch do not match, so the mean
 * over the two classes stands beside the plain share. A tie, or a logit that is not a number, counts against.
 */
import { requireThat } from '../base/errors.ts'

export interface MatchingAccuracy {
  /** Share of the pairs with a label that are told right. */
  accuracy: number
  /** Mean over the classes that there are of the share of their pairs. */
  balanced: number
}

/**
 * Accuracies over logits [n,2] and labels [n]: 1 match, 0 none, below 0 not counted; NaN where no pair counts.
 * Throws a RangeError where sizes do not fit.
 */
export function matchingAccuracy(logits: ArrayLike<number>, labels: ArrayLike<number>): MatchingAccuracy {
  const n = labels.length
  requireThat(logits.length === 2 * n, 'matching accuracy', `logits must have ${n} x 2 numbers`, logits.length)
  const right = [0, 0]
  const all = [0, 0]
  for (let i = 0; i < n; i++) {
    const label = labels[i]
    if (label < 0) continue
    all[label]++
    if (logits[2 * i + label] > logits[2 * i + 1 - label]) right[label]++
  }
  const shares = [0, 1].filter((label) => all[label] > 0).map((label) => right[label] / all[label])
  return {
    accuracy: (right[0] + right[1]) / (all[0] + all[1]),
    balanced: shares.reduce((sum, share) => sum + share, 0) / shares.length,
  }
}
