/**
 * Which curves a report (report.ts) shows of a run: losses, accuracies within the batch, reconstruction, memory,
 * retrieval on the validation images, health of the ternary weights. What a run did not measure has no chart.
 */
import type { Recalls } from '../evaluate/retrieval.ts'
import type { Chart, Line } from './report-charts.ts'
import type { Scores } from './scores.ts'

/** What a line of metrics.jsonl has to say about a step; accuracies are shares of the batch. */
export type StepPoint = { step: number } & Partial<Scores>

/** And about an evaluation; recalls in percent. */
export interface EvaluationPoint {
  step: number
  t2i: Recalls
  i2t: Recalls
  /** Losses and metrics of the validation images. */
  scores?: Partial<Scores>
  /** Shares of the ternary weights that are zero, and that changed since the evaluation before. */
  zeros?: number
  flips?: number
}

interface Curve {
  label: string
  key: keyof Scores
  color: string
}

interface ScoreChart {
  title: string
  axis: string
  percent?: boolean
  curves: readonly Curve[]
}

const [BLUE, ORANGE, GREEN] = ['var(--blue)', 'var(--orange)', 'var(--green)']

const SCORE_CHARTS: readonly ScoreChart[] = [
  { title: 'Training loss', axis: 'loss (nats)', curves: [{ label: 'weighted sum', key: 'loss', color: BLUE }] },
  {
    title: 'Contrast and text',
    axis: 'loss (nats)',
    curves: [
      { label: 'contrast', key: 'contrastiveLoss', color: BLUE },
      { label: 'image contrast', key: 'imageContrastLoss', color: GREEN },
      { label: 'text', key: 'textLoss', color: ORANGE },
    ],
  },
  {
    title: 'Matching and memory',
    axis: 'loss (nats)',
    curves: [
      { label: 'matching', key: 'itmLoss', color: BLUE },
      { label: 'memory KL', key: 'memoryKlLoss', color: ORANGE },
    ],
  },
  {
    title: 'Accuracy within the batch',
    axis: 'right (%)',
    percent: true,
    curves: [
      { label: 'text to image', key: 'accT2i', color: BLUE },
      { label: 'image to text', key: 'accI2t', color: ORANGE },
      { label: 'matching, balanced', key: 'itmAccBalanced', color: GREEN },
    ],
  },
  {
    title: 'Reconstruction of the text',
    axis: 'tokens right (%)',
    percent: true,
    curves: [{ label: 'tokens', key: 'tokenAccuracy', color: BLUE }],
  },
  {
    title: 'Memory',
    axis: 'share (%)',
    percent: true,
    curves: [
      { label: 'quality', key: 'memoryQuality', color: BLUE },
      { label: 'slots in use', key: 'memoryUtilization', color: ORANGE },
    ],
  },
]

/** The scores that some chart shows. */
export const SHOWN = SCORE_CHARTS.flatMap(({ curves }) => curves.map(({ key }) => key))

/** The charts of a run, in the order in which they are shown. */
export function curvesOf(steps: readonly StepPoint[], evaluations: readonly EvaluationPoint[]): Chart[] {
  return [
    ...scoreCharts(steps, ''),
    ...retrievalChart(evaluations),
    ...scoreCharts(
      evaluations.map(({ step, scores }) => ({ step, ...scores })),
      ', validation images',
    ),
    ...ternaryChart(evaluations),
  ]
}

/** Of the steps: smoothed, and all charts; of few evaluations: points joined as they are. */
function scoreCharts(points: readonly StepPoint[], suffix: string): Chart[] {
  return SCORE_CHARTS.flatMap(({ title, axis, percent, curves }): Chart[] => {
    const lines = curves.flatMap(({ label, key, color }): Line[] => {
      const measured = points.filter((point) => Number.isFinite(point[key]))
      if (measured.length === 0) return []
      const values = measured.map((point) => ({ step: point.step, value: (percent ? 100 : 1) * point[key]! }))
      return [{ label, color, smooth: suffix === '', points: values }]
    })
    return lines.length === 0 ? [] : [{ title: `${title}${suffix}`, axis, percent, lines }]
  })
}

function retrievalChart(evaluations: readonly EvaluationPoint[]): Chart[] {
  if (evaluations.length === 0) return []
  const points = (value: (row: EvaluationPoint) => number) =>
    evaluations.map((row) => ({ step: row.step, value: value(row) }))
  const lines = [
    { label: 'text to image R@1', color: BLUE, points: points((row) => row.t2i.r1) },
    { label: 'R@5', color: BLUE, dashed: true, points: points((row) => row.t2i.r5) },
    { label: 'image to text R@1', color: ORANGE, points: points((row) => row.i2t.r1) },
    { label: 'R@5', color: ORANGE, dashed: true, points: points((row) => row.i2t.r5) },
  ]
  return [{ title: 'Retrieval on the validation images', axis: 'recall (%)', percent: true, lines }]
}

function ternaryChart(evaluations: readonly EvaluationPoint[]): Chart[] {
  // Without a ternary weight the shares are no numbers, and null once they were JSON.
  if (!evaluations.some(({ zeros }) => Number.isFinite(zeros))) return []
  const points = (key: 'zeros' | 'flips') =>
    evaluations.map((row) => ({ step: row.step, value: 100 * (row[key] ?? NaN) }))
  const lines = [
    { label: 'zero', color: BLUE, points: points('zeros') },
    { label: 'changed since the evaluation before', color: ORANGE, points: points('flips') },
  ]
  return [{ title: 'Ternary weights', axis: 'weights (%)', percent: true, lines }]
}
