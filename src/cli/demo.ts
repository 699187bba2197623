/**
 * `bitgen demo` (`npm start`): what the model that comes along can do, on artwork by an artist that it never saw: finds,
 * captions, matches, and learns new things from one drawing. Printed in short, and written as a page.
 */
import type { CAC } from 'cac'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { demoPage } from './demo-page.ts'
import { runDemo } from './demo-run.ts'
import { demoText } from './demo-text.ts'
import { MODEL_OPTION, openModel } from './model.ts'
import { writeOutput } from './output.ts'
import { option, type Options } from './usage.ts'

export function addDemo(cli: CAC): void {
  cli
    .command('demo', 'Finds, captions, matches and learns, with pictures by an artist it never saw, here and as a page')
    .usage('demo [options]')
    .option('--out <file>', 'Page to write; default build/demo/index.html')
    .option(...MODEL_OPTION)
    .action(async (options: Options) => {
      const out = resolve(option(options, 'out') ?? 'build/demo/index.html')
      const demo = await runDemo(await openModel(options))
      console.log(demoText(demo))
      writeOutput(out, demoPage(demo))
      console.log(`\nAll of it with pictures: ${out}\n${pathToFileURL(out)}`)
    })
}
