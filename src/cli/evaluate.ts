/**
 * `bitgen evaluate`: retrieval in both directions on any data set in the form of COCO captions or of Karpathy's
 * splits. Pictures that cannot be read are named and left out with their captions; `images` counts those that stay.
 */
import type { CAC } from 'cac'
import { writeFileSync } from 'node:fs'
import { readCaptions } from '../data/coco.ts'
import { evaluateRetrieval, type RetrievalReport } from '../evaluate/retrieval.ts'
import type { BitGen } from '../index.ts'
import { figureRows, figureTable } from './figures.ts'
import { count } from './format.ts'
import { embedPictures, embedTexts, MODEL_OPTION, openModel } from './model.ts'
import { option, requiredOption, type Options } from './usage.ts'

export function addEvaluate(cli: CAC): void {
  cli
    .command('evaluate', 'Recall and median rank on captioned pictures, texts for images and images for texts')
    .usage('evaluate --images DIR --annotations FILE [options]')
    .option('--images <folder>', 'Folder of the pictures')
    .option('--annotations <file>', "COCO captions JSON, or Karpathy's dataset_coco.json")
    .option('--split <name>', "Of Karpathy's file: test, val, train, or several as train+restval; default all")
    .option('--json <file>', 'Writes the figures there too; recalls in percent')
    .option(...MODEL_OPTION)
    .example('  $ bitgen evaluate --images models/demo/images --annotations models/demo/captions_demo.json')
    .action(async (options: Options) => {
      const [images, annotations] = [requiredOption(options, 'images'), requiredOption(options, 'annotations')]
      const [split, json] = [option(options, 'split'), option(options, 'json')]
      const set = readCaptions(annotations, images, { split, checkFiles: false })
      const model = await openModel(options)
      const report = await evaluateModel(model, set)
      const { name } = model.info()
      console.log(`${count(report.images)} images, ${count(report.captions)} captions; recall in percent\n`)
      console.log(figureTable(figureRows(name, report)))
      if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`)
    })
}

/** Retrieval of a model on pictures and their captions. */
export async function evaluateModel(
  model: BitGen,
  set: readonly { path: string; captions: readonly string[] }[],
): Promise<RetrievalReport> {
  const paths = set.map(({ path }) => path)
  const { readable, features } = await embedPictures(model, paths)
  const captions = readable.flatMap((index, i) => set[index].captions.map((text) => ({ text, owner: i })))
  const texts = captions.map(({ text }) => text)
  return evaluateRetrieval({
    text: await embedTexts(model, texts),
    image: features,
    channels: model.info().manifest.channels,
    captionOf: captions.map(({ owner }) => owner),
  })
}
