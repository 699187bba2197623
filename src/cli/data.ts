/** `bitgen data emoji`: builds the corpus of emoji artwork; see ../data/emoji/build.ts. Needs npm and its registry. */
import type { CAC } from 'cac'
import { resolve } from 'node:path'
import { message } from '../base/errors.ts'
import { buildEmoji } from '../data/emoji/build.ts'
import { Progress } from './progress.ts'
import { table } from './table.ts'
import { option, UsageError, type Options } from './usage.ts'

export function addData(cli: CAC): void {
  cli
    .command('data <set>', 'Builds a data set: emoji, artwork by eight artists with names')
    .usage('data emoji [options]')
    .option('--out <folder>', 'Folder of the data set; default data/<set>')
    .example('  $ bitgen data emoji --out data/emoji')
    .action(async (set: string, options: Options) => {
      if (set !== 'emoji') throw new UsageError(message('data', 'the set must be emoji', set))
      const out = resolve(option(options, 'out') ?? 'data/emoji')
      const { counts, nearDuplicates, digest } = await build(out)
      console.log(
        table(
          Object.entries(counts).map(([split, pictures]) => [split, String(pictures)]),
          [1],
        ),
      )
      console.log(`left out ${nearDuplicates.length} training pictures that nearly equal a held-out one`)
      console.log(`${out}, manifest sha256 ${digest}`)
    })
}

async function build(out: string) {
  let current: { stage: string; progress: Progress } | undefined
  try {
    return await buildEmoji({
      out,
      onProgress({ stage, done, total }) {
        if (stage !== current?.stage) {
          current?.progress.stop()
          current = { stage, progress: new Progress(stage, total) }
        }
        current.progress.update(done)
      },
    })
  } finally {
    current?.progress.stop()
  }
}
