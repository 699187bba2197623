/** `bitgen forget ID...`: takes entries out of the memory, as if they had never been taught. */
import type { CAC } from 'cac'
import { changeMemory, MEMORY_OPTION, stock } from './memory.ts'
import { MODEL_OPTION } from './model.ts'
import type { Options } from './usage.ts'

export function addForget(cli: CAC): void {
  cli
    .command('forget <...ids>', 'Forgets things taught, by their ids: all of them or, on an unknown id, none')
    .usage('forget ID [ID...] [options]')
    .option(...MEMORY_OPTION)
    .option(...MODEL_OPTION)
    .example('  $ bitgen forget 1')
    .action(async (ids: string[], options: Options) => {
      const changed = await changeMemory(options, ({ memory }) => ids.forEach((id) => memory.forget(id)))
      console.log(`forgotten: ${ids.join(', ')}; ${stock(changed)}`)
    })
}
