/**
 * `bitgen one-shot`: how often `recall` is right about things taught by one picture each, beside the nearest by pixels
 * and chance, on two captioned sets that show the same concepts.
 */
import type { CAC } from 'cac'
import { message } from '../base/errors.ts'
import { count } from '../base/readable.ts'
import { readCaptions } from '../data/coco.ts'
import { readDrawings } from '../evaluate/drawings.ts'
import { oneShot, type Accuracy, type OneShotReport } from '../evaluate/one-shot.ts'
import { MODEL_OPTION, openModel } from './model.ts'
import { writeOutput } from './output.ts'
import { Progress } from './progress.ts'
import { table } from './table.ts'
import { numberOption, option, requiredOption, UsageError, type Options } from './usage.ts'

const WAYS = '5,20'

export function addOneShot(cli: CAC): void {
  cli
    .command('one-shot', 'Accuracy of recall on things taught by one picture each')
    .usage('one-shot --images DIR --taught FILE --queries FILE [options]')
    .option('--images <folder>', 'Folder of the pictures of both sets')
    .option('--taught <file>', 'COCO captions JSON of the pictures to teach, with concepts')
    .option('--queries <file>', 'The same of the pictures to ask about')
    .option('--ways <list>', `Things taught at a time; default ${WAYS}`)
    .option('--episodes <n>', 'How often they are drawn anew; default 600')
    .option('--seed <n>', 'Of the draws; default 0')
    .option('--json <file>', 'Writes the figures there too, in percent')
    .option(...MODEL_OPTION)
    .example(
      '  $ bitgen one-shot --images data/emoji/images --taught data/emoji/annotations/captions_val_concept.json --queries data/emoji/annotations/captions_oneshot.json',
    )
    .action(async (options: Options) => {
      const images = requiredOption(options, 'images')
      const [taught, queries] = [requiredOption(options, 'taught'), requiredOption(options, 'queries')]
      const [episodes, seed] = [numberOption(options, 'episodes'), numberOption(options, 'seed')]
      const ways = waysOf(option(options, 'ways') ?? WAYS)
      const json = option(options, 'json')
      const sets = [readCaptions(taught, images), readCaptions(queries, images)]
      const model = await openModel(options)
      const { name } = model.info().manifest
      const progress = (label: string, total: number) => new Progress(label, total)
      const lessons = await readDrawings(model, sets[0], progress)
      const asked = await readDrawings(model, sets[1], progress)
      const reports = ways.map((n) => oneShot(lessons, asked, { ways: n, episodes, seed }))
      console.log(oneShotText(name, reports))
      if (json !== undefined) writeOutput(json, `${JSON.stringify(reports, null, 2)}\n`)
    })
}

/** Throws a UsageError unless it is a list of numbers. */
function waysOf(list: string): number[] {
  const ways = list.split(',').map(Number)
  if (!ways.every(Number.isInteger)) throw new UsageError(message('--ways', 'must be whole numbers, as 5,20', list))
  return ways
}

/** Where the results of a manifest have the accuracies. */
export const ONE_SHOT = 'oneShot'

/** Whether a value of a manifest, which anyone may have written, is what `oneShotText` can show. */
export function isOneShot(value: unknown): value is OneShotReport[] {
  const isNumber = (one: unknown) => typeof one === 'number'
  const isAccuracy = (one: Accuracy | undefined) => isNumber(one?.accuracy) && isNumber(one?.standardError)
  const isReport = (one: Partial<OneShotReport> | null) =>
    [one?.ways, one?.episodes, one?.concepts, one?.chance].every(isNumber) &&
    isAccuracy(one?.model) &&
    isAccuracy(one?.pixels)
  return Array.isArray(value) && value.length > 0 && value.every(isReport)
}

/** Accuracies beside those by pixels and chance, as a table. */
export function oneShotText(name: string, reports: readonly OneShotReport[]): string {
  const [{ concepts, episodes }] = reports
  const cells = (of: (report: OneShotReport) => Accuracy) =>
    reports.map(of).map(({ accuracy, standardError }) => `${accuracy.toFixed(1)} ± ${standardError.toFixed(1)}`)
  const rows = [
    ['', ...reports.map(({ ways }) => `${ways}-way`)],
    [name, ...cells(({ model }) => model)],
    ['nearest by pixels', ...cells(({ pixels }) => pixels)],
    ['chance', ...reports.map(({ chance }) => chance.toFixed(1))],
  ]
  const right = reports.map((_, i) => i + 1)
  const head = `${count(concepts)} concepts, ${count(episodes)} episodes; accuracy in percent, with its standard error`
  return `${head}\n\n${table(rows, right)}`
}
