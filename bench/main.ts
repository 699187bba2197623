/** `npm run bench -- evaluate | kernels | size | standalone`: dispatches to the benches. Every figure is measured by the command that prints it. */
import { message } from '../src/base/errors.ts'
import { benchEvaluate } from './evaluate.ts'
import { benchKernels } from './kernels.ts'
import { benchSize } from './size.ts'
import { benchStandalone } from './standalone.ts'

const BENCHES: Record<string, (args: string[]) => Promise<void>> = {
  evaluate: benchEvaluate,
  kernels: benchKernels,
  size: benchSize,
  standalone: benchStandalone,
}

const [name, ...args] = process.argv.slice(2)
const bench = BENCHES[name]
if (bench) await bench(args)
else {
  console.error(message('bench', `the first argument must be one of ${Object.keys(BENCHES).join(', ')}`, name))
  process.exitCode = 1
}
