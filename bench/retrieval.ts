/**
 * `npm run bench -- retrieval`: a checkpoint exported and measured on the held-out splits of the emoji corpus, beside
 * its float twin, the control with shuffled pairs, the pixel baseline and chance. The figures go into the manifest of
 * the model file that it writes.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { message } from '../src/base/errors.ts'
import { evaluateModel } from '../src/cli/evaluate.ts'
import { figureRows, figureTable, type RecordedResult } from '../src/cli/figures.ts'
import { readCaptions } from '../src/data/coco.ts'
import { pixelBaseline } from '../src/evaluate/baseline.ts'
import { BitGen } from '../src/index.ts'
import { exportModel } from '../src/train/export.ts'

const SPLITS = ['val_style', 'val_concept', 'dev_style']

const OPTIONS = {
  checkpoint: { type: 'string' },
  /** Checkpoints to stand beside it. */
  'float-twin': { type: 'string' },
  control: { type: 'string' },
  data: { type: 'string', default: 'data/emoji' },
  out: { type: 'string' },
} as const

export async function benchRetrieval(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: OPTIONS })
  const { checkpoint, out } = values
  if (!checkpoint || !out) throw new Error(message('bench retrieval', '--checkpoint and --out must be given'))
  const load = async (path: string | undefined) => path && BitGen.load(await exportModel(path))
  const [model, floatTwin, control] = await Promise.all([checkpoint, values['float-twin'], values.control].map(load))
  if (!model) return

  const images = join(values.data, 'images')
  const read = (split: string) => readCaptions(join(values.data, 'annotations', `captions_${split}.json`), images)
  const results: Record<string, RecordedResult> = {}
  for (const split of SPLITS) {
    const set = read(split)
    results[split] = {
      ...(await evaluateModel(model, set)),
      pixelBaseline: await pixelBaseline(set, read('train')),
      ...(floatTwin ? { floatTwin: await evaluateModel(floatTwin, set) } : {}),
      ...(control ? { control: await evaluateModel(control, set) } : {}),
    }
    const { images: n } = results[split]
    console.log(`${split}: ${n} images; recall in percent\n\n${figureTable(figureRows('model', results[split]))}\n`)
  }
  writeFileSync(out, await exportModel(checkpoint, { results: { ...results } }))
}
