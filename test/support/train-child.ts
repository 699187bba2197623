/**
 * A child process for train-resume.test.ts: goes on with the run of a configuration until it ends or is killed, and
 * says every step. Arguments: folder of the data, configuration as JSON.
 */
import { writeSync } from 'node:fs'
import { trainConfig } from '../../src/train/config.ts'
import { trainRun } from '../../src/train/run.ts'
import { builtModule } from './kernels.ts'

const [dir, config] = process.argv.slice(2)
await trainRun(trainConfig(JSON.parse(config), dir), {
  kernels: await builtModule('simd128'),
  // Synchronous: process.stdout may hold back what a kill then loses.
  onStep: ({ step }) => void writeSync(1, `${step}\n`),
})
