/**
 * `bitgen match IMAGE TEXT...`: the probability that a picture and each text belong together, in the order given. Both
 * are read together: slower than `similarity`, and finer.
 */
import type { CAC } from 'cac'
import { MODEL_OPTION, openModel } from './model.ts'
import { table } from './table.ts'
import type { Options } from './usage.ts'

export function addMatch(cli: CAC): void {
  cli
    .command('match <image> <...texts>', 'Whether texts belong to a picture: probabilities from 0 to 1')
    .usage('match IMAGE TEXT [TEXT...] [options]')
    .option(...MODEL_OPTION)
    .example('  $ bitgen match models/demo/images/owl.png "an owl" "a bicycle"')
    .action(async (image: string, texts: string[], options: Options) => {
      const model = await openModel(options)
      const probabilities = await model.match(image, texts)
      console.log(
        table(
          texts.map((text, i) => [probabilities[i].toFixed(3), text]),
          [0],
        ),
      )
    })
}
