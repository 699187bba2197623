/** One cold start of ONNX Runtime, in the process that start.ts starts for it: as bench/load-child.ts is one of ours. */
import { readFile } from 'node:fs/promises'
import { StartClock } from '../start-clock.ts'
import { importOrt, openModel, type OrtKind } from './onnxruntime.ts'

const clock = new StartClock()
const [kind, path, side] = process.argv.slice(2)
const shape = [1, 3, Number(side), Number(side)]
const pixels = new Float32Array(3 * shape[2] * shape[3]).fill(0.5)
clock.skip()
const ort = await importOrt(kind as OrtKind)
clock.lap('import')
const run = await openModel(ort, kind as OrtKind, await readFile(path), 'pixels', shape)
clock.lap('load')
await run(pixels)
clock.lap('first picture')
clock.print()
