/**
 * What a batch scored, read from the outputs of a plan (model/objective.ts): the losses and the metrics of the card
 * (model.md section 9). What no loss with a weight needs is absent.
 */
import { exp, log } from '../base/math.ts'
import type { Symbols } from '../base/shape.ts'
import { matchingAccuracy } from '../evaluate/matching.ts'
import type { Executor } from '../runtime/execute.ts'

export interface Scores {
  /** The weighted sum. */
  loss: number
  contrastiveLoss: number
  imageContrastLoss?: number
  /** Shares of the batch whose own pair is more alike than every other; ties count against. */
  accT2i: number
  accI2t: number
  itmLoss?: number
  /** Over the 3B pairs (always "no match" has 2/3), and the mean over the two classes. */
  itmAcc?: number
  itmAccBalanced?: number
  textLoss?: number
  /** exp of the unsmoothed loss of a real token. */
  perplexity?: number
  tokenAccuracy?: number
  memoryKlLoss?: number
  /** Share of the slots whose written energy exceeds 1 % of the mean. */
  memoryUtilization?: number
  /** Mean cosine of codes and what the memory reads for them. */
  memoryQuality?: number
}

/** Names of outputs that are one number. */
const NUMBERS: Partial<Record<keyof Scores, string>> = {
  loss: 'loss',
  contrastiveLoss: 'itc',
  imageContrastLoss: 'imageContrast',
  accT2i: 'acc_t2i',
  accI2t: 'acc_i2t',
  itmLoss: 'itm',
  textLoss: 'text',
  tokenAccuracy: 'token_accuracy',
  memoryKlLoss: 'memory',
  memoryUtilization: 'memory_utilization',
}

/** What the last run of a plan scored. */
export function scoresOf(executor: Executor, plan: string, symbols: Symbols): Scores {
  return readScores((name) => (executor.hasIo(plan, name) ? executor.io(plan, name, symbols) : undefined), symbols.B)
}

/** The scores of a batch of B samples from the outputs of the objective by name. */
export function readScores(output: (name: string) => ArrayLike<number> | undefined, B: number): Scores {
  const entries = Object.entries(NUMBERS).flatMap(([key, name]) => {
    const value = output(name)?.[0]
    return value === undefined ? [] : [[key, value] as const]
  })
  const scores = Object.fromEntries(entries) as unknown as Scores
  // With no other loss beside it, the contrast is the loss itself.
  scores.contrastiveLoss ??= scores.loss
  const logits = output('match_logits')
  if (logits) {
    const { accuracy, balanced } = matchingAccuracy(logits, output('match_labels')!)
    Object.assign(scores, { itmAcc: accuracy, itmAccBalanced: balanced })
  }
  const nll = output('nll')
  if (nll) scores.perplexity = exp(nll[0])
  const code = output('code')
  if (code) scores.memoryQuality = meanCosine(code, output('read')!, code.length / B)
  return scores
}

/** Means over batches, each counted by its number of samples; perplexity by the mean of its logarithm. */
export function meanScores(batches: readonly { scores: Scores; samples: number }[]): Scores {
  const all = batches.reduce((sum, { samples }) => sum + samples, 0)
  const keys = Object.keys(batches[0].scores) as (keyof Scores)[]
  const mean = (key: keyof Scores, of: (value: number) => number) =>
    batches.reduce((sum, { scores, samples }) => sum + (of(scores[key]!) * samples) / all, 0)
  const entries = keys.map((key) => {
    return [key, key === 'perplexity' ? exp(mean(key, log)) : mean(key, (value) => value)] as const
  })
  return Object.fromEntries(entries) as unknown as Scores
}

/** Mean over rows of the cosine of x and y [n,columns]. */
function meanCosine(x: ArrayLike<number>, y: ArrayLike<number>, columns: number): number {
  const rows = x.length / columns
  let sum = 0
  for (let r = 0; r < rows; r++) {
    let [xy, xx, yy] = [0, 0, 0]
    for (let i = r * columns; i < (r + 1) * columns; i++) {
      xy += x[i] * y[i]
      xx += x[i] * x[i]
      yy += y[i] * y[i]
    }
    sum += xy / Math.max(Math.sqrt(xx * yy), 1e-12)
  }
  return sum / rows
}
