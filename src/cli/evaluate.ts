/**
 * `bitgen evaluate`: everything that can be measured of a model on any data set in the form of COCO captions or of
 * Karpathy's splits, as tables, as JSON and as a page. Pictures that cannot be read are named and left out with their
 * captions; `images` counts those that stay.
 */
import type { CAC } from 'cac'
import sharp from 'sharp'
import { message } from '../base/errors.ts'
import { count } from '../base/readable.ts'
import { shuffle, USE } from '../base/rng.ts'
import { readCaptions } from '../data/coco.ts'
import { evaluate, RERANKED, SEED, type PictureResult } from '../evaluate/evaluation.ts'
import { decodeImage } from '../image/decode.ts'
import { DEFAULT_MODEL } from '../index.ts'
import { evaluationPage, type ShownPicture } from './evaluate-page.ts'
import { figureSections, sectionsText } from './figure-sections.ts'
import type { RecordedResult } from './figures.ts'
import { MODEL_OPTION, openSubject } from './model.ts'
import { writeOutput } from './output.ts'
import { Progress } from './progress.ts'
import { numberOption, option, requiredOption, UsageError, type Options } from './usage.ts'

/** Pictures on the page, and their sides in pixels. */
const [SHOWN, SIDE] = [200, 112]

const progress = (label: string, total: number) => new Progress(label, total)

export function addEvaluate(cli: CAC): void {
  cli
    .command(
      'evaluate',
      'Retrieval, matching and captions on captioned pictures, as far as the model was trained for them',
    )
    .usage('evaluate --images DIR --annotations FILE [options]')
    .option('--images <folder>', 'Folder of the pictures')
    .option('--annotations <file>', "COCO captions JSON, or Karpathy's dataset_coco.json")
    .option('--split <name>', "Of Karpathy's file: test, val, train, or several as train+restval; default all")
    .option('--rerank <k>', `Best answers that matching orders anew; 0: none; default ${RERANKED}`)
    .option('--twin <file>', 'Model file whose figures stand beside: the same network with f32 weights')
    .option('--json <file>', 'Writes the figures there too; shares in percent')
    .option('--page <file>', `Writes an HTML page with the figures and up to ${SHOWN} pictures`)
    .option(...MODEL_OPTION)
    .example('  $ bitgen evaluate --images models/demo/images --annotations models/demo/captions_demo.json')
    .action(async (options: Options) => {
      const [images, annotations] = [requiredOption(options, 'images'), requiredOption(options, 'annotations')]
      const [split, twin] = [option(options, 'split'), option(options, 'twin')]
      const [json, page] = [option(options, 'json'), option(options, 'page')]
      const rerank = candidatesOption(options)
      const set = readCaptions(annotations, images, { split, checkFiles: false })
      const subject = await openSubject(option(options, 'model') ?? DEFAULT_MODEL)
      const other = twin === undefined ? undefined : await openSubject(twin)

      const { report, pictures } = await evaluate(subject, set, { rerank, progress })
      const readable = new Set(pictures.map(({ path }) => path))
      const rest = set.filter(({ path }) => readable.has(path))
      const result: RecordedResult = report
      if (other) result.floatTwin = (await evaluate(other, rest, { rerank, progress })).report
      const { name } = subject.manifest
      const sections = figureSections(name, result)
      console.log(`${count(report.images)} images, ${count(report.captions)} captions\n\n${sectionsText(sections)}`)
      if (json !== undefined) writeOutput(json, `${JSON.stringify(result, null, 2)}\n`)
      if (page !== undefined) {
        writeOutput(page, evaluationPage({ name, annotations, result, sections, pictures: await shown(pictures) }))
        console.log(`\nThe same with pictures: ${page}`)
      }
    })
}

function candidatesOption(options: Options): number {
  const k = numberOption(options, 'rerank') ?? RERANKED
  if (!Number.isInteger(k) || k < 0) throw new UsageError(message('--rerank', 'must be a whole number from 0', k))
  return k
}

/** Some of the pictures, drawn at random where there are too many, in their order, made small. */
async function shown(pictures: readonly PictureResult[]): Promise<ShownPicture[]> {
  const drawn = shuffle(pictures.length, SEED, 0, 0, USE.order).slice(0, SHOWN).sort()
  const small: ShownPicture[] = []
  for (const i of drawn) {
    const { data, width, height } = await decodeImage(pictures[i].path)
    const webp = await sharp(data, { raw: { width, height, channels: 3 } })
      .resize(SIDE, SIDE, { fit: 'contain', background: '#ffffff' })
      .webp({ quality: 82 })
      .toBuffer()
    small.push({ ...pictures[i], webp })
  }
  return small
}
