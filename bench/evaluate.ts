/**
 * `npm run bench -- evaluate`: a checkpoint exported and measured on the held-out splits of the emoji corpus, beside its
 * float twin, the control with shuffled pairs, the pixel baseline and chance; and how well its memory recognises unseen
 * concepts from one drawing. The figures and the thresholds of the memory go into the manifest of the model file that it
 * writes. Takes minutes: about 70 ms for each picture and model.
 */
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { message } from '../src/base/errors.ts'
import { figureSections, sectionsText } from '../src/cli/figure-sections.ts'
import type { RecordedResult } from '../src/cli/figures.ts'
import { subjectOf } from '../src/cli/model.ts'
import { ONE_SHOT, oneShotText } from '../src/cli/one-shot.ts'
import { Progress } from '../src/cli/progress.ts'
import { readCaptions, type CaptionedImage } from '../src/data/coco.ts'
import { pixelBaseline } from '../src/evaluate/baseline.ts'
import { readDrawings } from '../src/evaluate/drawings.ts'
import { evaluate } from '../src/evaluate/evaluation.ts'
import { oneShot, type OneShotReport } from '../src/evaluate/one-shot.ts'
import { measureScope } from '../src/evaluate/scope.ts'
import type { Subject } from '../src/evaluate/subject.ts'
import { BitGen } from '../src/index.ts'
import type { Scope } from '../src/io/model-file.ts'
import { replaceFile } from '../src/io/replace-file.ts'
import { exportModel } from '../src/train/export.ts'
import { parseFlags } from './flags.ts'

const SPLITS = ['val_style', 'val_concept', 'dev_style']
/** Where thresholds are measured; unseen concepts by the artist that is taught and by the one that asks. */
const MEMORY = { scope: 'dev_style', taught: 'val_concept', asked: 'oneshot', ways: [5, 20] }

export async function benchEvaluate(args: string[]): Promise<void> {
  const flags = parseFlags('evaluate', args, ['checkpoint', 'float-twin', 'control', 'data', 'out'])
  const { checkpoint, out, data = 'data/emoji' } = flags
  if (!checkpoint || !out) throw new Error(message('bench evaluate', '--checkpoint and --out must be given'))
  // Before minutes of measuring, not after them.
  mkdirSync(dirname(out), { recursive: true })
  const load = async (path: string | undefined) => path && subjectOf(await exportModel(path))
  const [model, twin, control] = await Promise.all([checkpoint, flags['float-twin'], flags.control].map(load))
  if (!model) return

  const images = join(data, 'images')
  const read = (split: string) => readCaptions(join(data, 'annotations', `captions_${split}.json`), images)
  const progress = (label: string, total: number) => new Progress(label, total)
  const report = async (subject: Subject, set: CaptionedImage[]) => (await evaluate(subject, set, { progress })).report
  const results: Record<string, RecordedResult> = {}
  for (const split of SPLITS) {
    const set = read(split)
    const result: RecordedResult = {
      ...(await report(model, set)),
      pixelBaseline: await pixelBaseline(set, read('train')),
      ...(twin ? { floatTwin: await report(twin, set) } : {}),
      ...(control ? { control: await report(control, set) } : {}),
    }
    results[split] = result
    console.log(`${split}: ${result.images} images\n\n${sectionsText(figureSections('model', result))}\n`)
  }
  const memory = model.canRemember ? await benchMemory(checkpoint, read, progress) : undefined
  const { scope, oneShot: figures } = memory ?? {}
  const all = { ...results, ...(figures && { [ONE_SHOT]: figures }) }
  replaceFile(out, await exportModel(checkpoint, { scope, results: all }))
}

/** The thresholds of the memory, and its accuracy on unseen concepts that were taught by one drawing each. */
async function benchMemory(
  checkpoint: string,
  read: (split: string) => CaptionedImage[],
  progress: (label: string, total: number) => Progress,
): Promise<{ scope: Scope; oneShot: OneShotReport[] }> {
  const model = await BitGen.load(await exportModel(checkpoint))
  const queries = read(MEMORY.scope)
  const { scope, shares } = await measureScope(model, queries, queries, { progress })
  const [taught, asked] = [read(MEMORY.taught), read(MEMORY.asked)]
  const [lessons, questions] = [await readDrawings(model, taught, progress), await readDrawings(model, asked, progress)]
  const reports = MEMORY.ways.map((ways) => oneShot(lessons, questions, { ways }))
  const text = (kind: 'image' | 'text' | 'code') =>
    `${kind} from ${scope[kind].toFixed(3)}: ${shares[kind].accepted.toFixed(1)} % of others accepted`
  console.log(`memory, thresholds on ${MEMORY.scope}: ${(['image', 'text', 'code'] as const).map(text).join('; ')}`)
  console.log(`taught from ${MEMORY.taught}, asked in ${MEMORY.asked}: ${oneShotText('model', reports)}`)
  return { scope, oneShot: reports }
}
