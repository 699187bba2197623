/** `bitgen export`: a checkpoint to the one file that a model is used from, with how it was trained. */
import type { CAC } from 'cac'
import { bytesText } from '../base/readable.ts'
import { exportModel } from '../index.ts'
import { replaceFile } from '../io/replace-file.ts'
import { requiredOption, type Options } from './usage.ts'

export function addExport(cli: CAC): void {
  cli
    .command('export', 'Turns a checkpoint into a model file')
    .usage('export --checkpoint FILE --out FILE')
    .option('--checkpoint <file>', 'Checkpoint of a training run')
    .option('--out <file>', 'Model file to write')
    .example(
      '  $ bitgen export --checkpoint runs/mine/checkpoints/step-00001800.best.safetensors --out mine.safetensors',
    )
    .action(async (options: Options) => {
      const [checkpoint, out] = [requiredOption(options, 'checkpoint'), requiredOption(options, 'out')]
      const bytes = await exportModel(checkpoint)
      replaceFile(out, bytes)
      console.log(`${out}: ${bytesText(bytes.length)}`)
    })
}
