/** `bitgen taught`: ids and labels of what was taught, oldest first. */
import type { CAC } from 'cac'
import { MEMORY_OPTION, openMemory, stock } from './memory.ts'
import { MODEL_OPTION } from './model.ts'
import { table } from './table.ts'
import type { Options } from './usage.ts'

export function addTaught(cli: CAC): void {
  cli
    .command('taught', 'Lists what was taught')
    .usage('taught [options]')
    .option(...MEMORY_OPTION)
    .option(...MODEL_OPTION)
    .action(async (options: Options) => {
      const opened = await openMemory(options)
      const entries = opened.memory.list()
      console.log(entries.length === 0 ? stock(opened) : table(entries.map(({ id, label }) => [id, label])))
    })
}
