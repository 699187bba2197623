/** `npm run bench -- NAME`: dispatches to the benches below. Every figure is measured by the command that prints it. */
import { message } from '../src/base/errors.ts'
import { benchEvaluate } from './evaluate.ts'
import { benchKernels } from './kernels.ts'
import { benchPeers } from './peers/main.ts'
import { benchSize } from './size.ts'
import { benchStandalone } from './standalone.ts'

const BENCHES: Record<string, (args: string[]) => Promise<void>> = {
  evaluate: benchEvaluate,
  kernels: benchKernels,
  peers: benchPeers,
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
