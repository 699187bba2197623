/** `bitgen teach IMAGE LABEL`: remembers a picture under a label in one write, without back-propagation. */
import type { CAC } from 'cac'
import { decodeImage } from '../image/decode.ts'
import { changeMemory, MEMORY_OPTION, stock, timed, timesText, type OpenMemory } from './memory.ts'
import { MODEL_OPTION } from './model.ts'
import { option, type Options } from './usage.ts'

export function addTeach(cli: CAC): void {
  cli
    .command('teach <image> <label>', 'Remembers a picture under a label, to be recognised by recall')
    .usage('teach IMAGE LABEL [options]')
    .option('--id <id>', 'Name of the entry, which none may have yet; default: a number')
    .option(...MEMORY_OPTION)
    .option(...MODEL_OPTION)
    .example('  $ bitgen teach models/demo/images/owl.png "my owl"')
    .action(async (path: string, label: string, options: Options) => {
      const learn = async ({ memory }: OpenMemory) => {
        const image = await decodeImage(path)
        const first = await timed(() => memory.write({ image, label, id: option(options, 'id') }))
        const { id, evicted } = first.value
        memory.forget(id)
        const again = await timed(() => memory.write({ image, label, id }))
        return { id, evicted, times: timesText(again.ms, first.ms) }
      }
      const changed = await changeMemory(options, learn, { create: true })
      const { id, evicted, times } = changed.value
      console.log(`${id}  ${label}`)
      console.log(`remembered ${times}; ${stock(changed)}`)
      if (evicted !== undefined) console.log(`the memory is full: the oldest, ${evicted}, was forgotten`)
    })
}
