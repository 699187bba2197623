/**
 * `npm run bench -- standalone`: the shipped model as a standalone module, on every instruction set that works here: its
 * bytes, how long it takes from bytes to an instance, and one picture through its plan beside the same plan in the
 * executor, in turns. The plans call the same kernels, so the ratio shows what dispatch and layout cost.
 */
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { buildStandalone } from '../codegen/standalone/build.ts'
import { ISAS } from '../src/abi.ts'
import { DEFAULT_MODEL } from '../src/index.ts'
import { KERNELS } from '../src/kernels.ts'
import { Session } from '../src/runtime/session.ts'
import { parseFlags } from './flags.ts'

/** Samples of each, in turns; the best counts, since other work on the machine only ever adds. */
const ROUNDS = 25
const WARM_MS = 3000
const SAMPLE_MS = 50

/** Milliseconds a call over `ms`. */
function sample(run: () => void, ms: number): number {
  const start = performance.now()
  let calls = 0
  do {
    run()
    calls++
  } while (performance.now() - start < ms)
  return (performance.now() - start) / calls
}

export async function benchStandalone(args: string[]): Promise<void> {
  parseFlags('standalone', args, [])
  const bytes = readFileSync(DEFAULT_MODEL)
  console.log(`model file: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzip`)
  for (const isa of ISAS) {
    const { wasm, memoryUse } = await buildStandalone(bytes, { isa, batch: 1 })
    console.log(
      `${isa}: ${wasm.length} bytes, ${gzipSync(wasm, { level: 9 }).length} gzip, ${memoryUse.total} of memory`,
    )
    if (!WebAssembly.validate(wasm)) continue
    const { executor } = await Session.open(bytes, { sources: KERNELS, target: isa })
    const instantiate = async () => {
      const start = performance.now()
      const { instance } = await WebAssembly.instantiate(wasm, {})
      return { instance, ms: performance.now() - start }
    }
    const starts: number[] = []
    for (let i = 0; i < ROUNDS; i++) starts.push((await instantiate()).ms)
    const { instance } = await instantiate()
    const baked = instance.exports.encodeImage as () => void
    const run = () => executor.run('encodeImage', { B: 1 })
    sample(run, WARM_MS)
    sample(baked, WARM_MS)
    const [executed, standalone]: number[][] = [[], []]
    for (let i = 0; i < ROUNDS; i++) {
      executed.push(sample(run, SAMPLE_MS))
      standalone.push(sample(baked, SAMPLE_MS))
    }
    const [before, now] = [Math.min(...executed), Math.min(...standalone)]
    console.log(`  bytes to instance ${Math.min(...starts).toFixed(1)} ms`)
    console.log(
      `  encodeImage: executor ${before.toFixed(3)} ms, standalone ${now.toFixed(3)} ms, ratio ${(now / before).toFixed(3)}`,
    )
  }
}
