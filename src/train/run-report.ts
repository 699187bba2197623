/**
 * What the report of a run (report.ts) shows: the curves of metrics.jsonl, and the model as it stands asked for
 * pictures of the validation images, beside chance and the pixel baseline. Some seconds for some thousand pictures;
 * the baseline is left out where it would take minutes.
 */
import sharp from 'sharp'
import { dot } from '../base/linear.ts'
import { count, duration, threadsText } from '../base/readable.ts'
import { pixelBaseline } from '../evaluate/baseline.ts'
import { evaluateRetrieval, type RetrievalFeatures } from '../evaluate/retrieval.ts'
import { stemLinear, towerLinear } from '../model/config.ts'
import { secondsOf, type EvaluationRow, type MetricsRow, type StepRow } from './metrics.ts'
import { SHOWN, type StepPoint } from './report-curves.ts'
import type { Report, ReportFigure, RetrievalRow } from './report.ts'
import type { RunState } from './run.ts'
import type { Trainer } from './trainer.ts'

const QUERIES = 12
const RESULTS = 5
/** Side of the pictures on the page, in pixels. */
const THUMBNAIL = 128
/** A curve has at most so many points: more are not seen, and cost 50 bytes each. */
const MAX_POINTS = 1000
/** Pairs of pictures that the baseline may compare: about 10 s. */
const MAX_PAIRS = 1e7

/** Collects the report of a run after `progress.step` steps. Throws where a picture can no longer be read. */
export async function runReport(
  trainer: Trainer,
  progress: RunState,
  rows: readonly MetricsRow[],
  { baseline = true } = {},
): Promise<Report> {
  const features = trainer.validation.features()
  return {
    title: trainer.config.name,
    about: about(trainer, progress, secondsOf(rows)),
    steps: thinned(rows.filter((row) => row.kind === 'step')),
    evaluations: rows.filter((row) => row.kind === 'evaluation'),
    figures: [...figures(features, progress, rows), ...(baseline ? await baselineRow(trainer) : [])],
    retrievals: await retrievals(trainer, features),
  }
}

function about(trainer: Trainer, { step, skipped }: RunState, seconds: number): string[] {
  const { config, data, model } = trainer
  const { batch, accumulate, steps, shufflePairs } = config
  const concepts = new Set(data.samples.map(({ concept }) => concept)).size
  const seen = step * batch * accumulate
  const stem = model.vision.stem.length > 0 ? `, ${stemLinear(model)} in its convolutions` : ''
  const { manifest, team } = trainer.executor.kernels
  const threads = threadsText(team?.threads ?? 1)
  return [
    `Trained on ${count(data.samples.length)} pictures of ${count(concepts)} concepts, asked for ` +
      `${count(data.validation.images.length)} pictures that it was never trained on.`,
    `${count(trainer.size)} parameters, pictures of ${model.image} x ${model.image} pixels, ` +
      `weights of linear layers ${model.ternary ? 'ternary' : 'f32'} in text and fusion, ${towerLinear(model)} in ` +
      `the vision tower${stem}.`,
    `${count(step)} of ${count(steps)} steps of ${count(batch * accumulate)} pictures, ${count(seen)} in all, in ` +
      `${duration(seconds)} on ${threads}; seed ${config.seed}, kernels ${manifest.isa}.`,
    ...(shufflePairs ? ['This is the control: pictures come with the captions of other pictures.'] : []),
    ...(skipped > 0 ? [`${count(skipped)} steps were skipped, because their gradient was not finite.`] : []),
  ]
}

/** Means of neighbouring steps where there are more than a curve can show. */
function thinned(rows: readonly StepRow[]): StepPoint[] {
  const group = Math.ceil(rows.length / MAX_POINTS)
  return Array.from({ length: Math.ceil(rows.length / group) || 0 }, (_, i) => {
    const part = rows.slice(i * group, (i + 1) * group)
    const mean = (key: (typeof SHOWN)[number] | 'step') =>
      part.reduce((sum, row) => sum + (row[key] ?? NaN), 0) / part.length
    return { step: mean('step'), ...Object.fromEntries(SHOWN.map((key) => [key, mean(key)])) }
  })
}

function figures(features: RetrievalFeatures, { step, best }: RunState, rows: readonly MetricsRow[]): ReportFigure[] {
  const { images, captions, t2i, i2t, chance } = evaluateRetrieval(features)
  const isBest = (row: MetricsRow): row is EvaluationRow => row.kind === 'evaluation' && row.step === best?.step
  const bestRow = best?.step === step ? undefined : rows.find(isBest)
  return [
    { name: `after ${count(step)} steps`, images, captions, t2i, i2t, model: true },
    ...(bestRow ? [{ ...bestRow, name: `best, after ${count(bestRow.step)} steps` }] : []),
    { name: 'chance', images, captions, t2i: chance.t2i, i2t: chance.i2t },
  ]
}

/** The nearest training picture by pixels; nothing where no concept is known, or comparing takes too long. */
async function baselineRow({ data }: Trainer): Promise<ReportFigure[]> {
  const [known, queries] = [data.train.images, data.validation.images]
  const concepts = new Set(known.map(({ concept }) => concept))
  if (known.length * queries.length > MAX_PAIRS || !queries.some(({ concept }) => concepts.has(concept))) return []
  const { n, t2i, i2t } = await pixelBaseline(queries, known)
  const captions = new Set(queries.map(({ concept }) => concept)).size
  return [{ name: 'nearest training picture by pixels', images: n, captions, t2i, i2t }]
}

/** Captions at equal distances through the validation set, with the pictures that come first. */
async function retrievals(trainer: Trainer, features: RetrievalFeatures): Promise<RetrievalRow[]> {
  const { text, image, channels, captionOf } = features
  const { images } = trainer.data.validation
  const captions = images.flatMap((one) => one.captions)
  const count = Math.min(QUERIES, captions.length)
  const rows: RetrievalRow[] = []
  for (let q = 0; q < count; q++) {
    const at = Math.floor(((q + 0.5) * captions.length) / count)
    const scores = images.map((_, i) => dot(text, at * channels, image, i * channels, channels))
    const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a])
    const results = order.slice(0, RESULTS).map(async (i) => {
      return { png: await thumbnailPng(images[i].path), score: scores[i], correct: captionOf[at] === i }
    })
    rows.push({ query: captions[at], results: await Promise.all(results) })
  }
  return rows
}

async function thumbnailPng(path: string): Promise<Uint8Array> {
  const options = { fit: 'contain', background: '#fff', withoutEnlargement: true } as const
  const picture = sharp(path, { autoOrient: true }).resize(THUMBNAIL, THUMBNAIL, options)
  return picture.flatten({ background: '#fff' }).png().toBuffer()
}
