/** `bitgen caption IMAGE`: says what is in a picture, on the terminal as the words come. */
import type { CAC } from 'cac'
import { loadMemory } from './memory.ts'
import { MODEL_OPTION, openModel } from './model.ts'
import { numberOption, option, type Options } from './usage.ts'

export function addCaption(cli: CAC): void {
  cli
    .command('caption <image>', 'Says what is in a picture')
    .usage('caption IMAGE [options]')
    .option('--beams <n>', 'Captions that are followed at once; the likeliest is said, all at the end. Default 1')
    .option('--temperature <t>', 'Above 0, words are drawn at random. Default 0: always the likeliest')
    .option('--top-p <p>', 'Draws from the likeliest words that have this probability together. Default 1')
    .option('--seed <n>', 'Of the draws; the same one draws the same. Default 0')
    .option('--max-tokens <n>', 'Default: as many as the model has learnt to say')
    .option('--memory <file>', 'File of what was taught: pictures like one of it are said with its help')
    .option(...MODEL_OPTION)
    .example('  $ bitgen caption models/demo/images/owl.png')
    .action(async (image: string, options: Options) => {
      const search = {
        beams: numberOption(options, 'beams'),
        temperature: numberOption(options, 'temperature'),
        topP: numberOption(options, 'topP'),
        seed: numberOption(options, 'seed'),
        maxTokens: numberOption(options, 'maxTokens'),
      }
      const memory = option(options, 'memory')
      const model = await openModel(options)
      if (memory !== undefined) loadMemory(model, memory)
      for await (const piece of model.caption(image, search)) process.stdout.write(piece)
      process.stdout.write('\n')
    })
}
