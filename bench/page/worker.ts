/**
 * The benches of the page, in a worker so that the page stays responsive: kernels and a whole model on every instruction
 * set asked for that works here. Answers one message, { quick, targets }, with rows as they come and results at the end.
 */
import type { Isa } from '../../src/abi.ts'
import { errorText } from '../../src/base/errors.ts'
import { KERNELS } from '../../src/kernels.ts'
import { TRAINING_KERNELS } from '../../src/training-kernels.ts'
import { KernelError, loadKernels } from '../../src/runtime/load.ts'
import { Session } from '../../src/runtime/session.ts'
import { countRows, measureKernels, type KernelRow } from '../kernels.ts'
import { measureModel, type CallRow, type ModelFigures } from '../model.ts'
import { measurePeaksOf } from '../peaks.ts'
import { FULL, QUICK } from '../timing.ts'

export interface Task {
  quick: boolean
  targets: readonly Isa[]
}

/** What the page gets; `share` is how much of a target is done. */
export type Message =
  | { kind: 'target'; target: Isa }
  | { kind: 'left out'; target: Isa; reason: string }
  | { kind: 'kernel'; row: KernelRow; share: number }
  | { kind: 'call'; row: CallRow }
  | { kind: 'measured'; target: Isa; peaks: Record<string, number>; rows: KernelRow[]; model: ModelFigures }
  | { kind: 'done' }
  | { kind: 'failed'; reason: string }

const send = (message: Message) => postMessage(message)

async function bytesOf(file: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(new URL(file, import.meta.url))
  if (!response.ok) throw new Error(`${file}: must be served beside the page, got ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

async function measure(target: Isa, quick: boolean): Promise<void> {
  const effort = quick ? QUICK : FULL
  const kernels = await loadKernels({ sources: TRAINING_KERNELS, target })
  send({ kind: 'target', target })
  const peaks = await measurePeaksOf(target, await bytesOf(`peaks-${target}.wasm`), effort)
  const all = countRows(kernels)
  let done = 0
  const rows = measureKernels(kernels, peaks, effort, (row) => send({ kind: 'kernel', row, share: ++done / all }))
  const session = await Session.open(await bytesOf('model.safetensors'), { sources: KERNELS, target })
  const model = await measureModel(session, { peaks, effort, onRow: (row) => send({ kind: 'call', row }) })
  send({ kind: 'measured', target, peaks: Object.fromEntries(peaks.best), rows, model })
}

addEventListener('message', async ({ data }: MessageEvent<Task>) => {
  for (const target of data.targets) {
    try {
      await measure(target, data.quick)
    } catch (error) {
      if (!(error instanceof KernelError)) return send({ kind: 'failed', reason: errorText(error) })
      send({ kind: 'left out', target, reason: errorText(error) })
    }
  }
  send({ kind: 'done' })
})
