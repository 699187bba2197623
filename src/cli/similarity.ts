/** `bitgen similarity IMAGE TEXT...`: the cosine of one picture with each text, in the order given. */
import type { CAC } from 'cac'
import { MODEL_OPTION, openModel } from './model.ts'
import { table } from './table.ts'
import type { Options } from './usage.ts'

export function addSimilarity(cli: CAC): void {
  cli
    .command('similarity <image> <...texts>', 'How well texts fit a picture: cosines from -1 to 1')
    .usage('similarity IMAGE TEXT [TEXT...] [options]')
    .option(...MODEL_OPTION)
    .example('  $ bitgen similarity models/demo/images/owl.png "an owl" "a bicycle"')
    .action(async (image: string, texts: string[], options: Options) => {
      const model = await openModel(options)
      const cosines = await model.similarity(image, texts)
      console.log(
        table(
          texts.map((text, i) => [cosines[i].toFixed(3), text]),
          [0],
        ),
      )
    })
}
