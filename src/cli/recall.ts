/**
 * `bitgen recall IMAGE`: the thing taught that a picture is most like, and whether it is like enough. `--text` asks by a
 * text, with a picture too by both together.
 */
import type { CAC } from 'cac'
import { message } from '../base/errors.ts'
import { decodeImage } from '../image/decode.ts'
import type { Recollection } from '../index.ts'
import { MEMORY_OPTION, openMemory, stock, timed, timesText } from './memory.ts'
import { MODEL_OPTION } from './model.ts'
import { option, UsageError, type Options } from './usage.ts'

export function addRecall(cli: CAC): void {
  cli
    .command('recall [image]', 'What was taught that a picture, a text, or both together are most like')
    .usage('recall IMAGE [options]')
    .option('--text <text>', 'Asks by a text, or by the picture with its text')
    .option(...MEMORY_OPTION)
    .option(...MODEL_OPTION)
    .example('  $ bitgen recall models/demo/images/owl.png')
    .action(async (path: string | undefined, options: Options) => {
      const text = option(options, 'text')
      if (path === undefined && text === undefined)
        throw new UsageError(message('recall', 'must be given IMAGE or --text'))
      const opened = await openMemory(options)
      const image = path === undefined ? undefined : await decodeImage(path)
      const first = await timed(() => opened.memory.recall({ image, text }))
      const { value, ms } = await timed(() => opened.memory.recall({ image, text }))
      if (value === null) return console.log(stock(opened))
      const kind = image === undefined ? 'text' : text === undefined ? 'image' : 'code'
      console.log(answer(value, opened.model.info().manifest.scope?.[kind]))
      console.log(`recalled ${timesText(ms, first.ms)}; ${stock(opened)}`)
    })
}

function answer({ id, label, similarity, inScope }: Recollection, threshold: number | undefined): string {
  const about = `similarity ${similarity.toFixed(3)}, id ${id}`
  if (threshold === undefined) return `${label}\n${about}; the model states no threshold`
  const from = threshold.toFixed(3)
  return inScope
    ? `${label}\n${about}; in scope, from ${from}`
    : `nothing that was taught\nnearest: ${label}, ${about}; not in scope, below ${from}`
}
