/**
 * A model as one WebAssembly module without imports: its plans (emit-plan.ts), the kernels that they call, and its
 * weights as the runtime lays them out. For hosts without JavaScript: WebAssembly runtimes, and C where wasm2c makes it.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BUFFER_ALIGN, ISAS, roundUp, type Isa, type KernelEntry } from '../../src/abi.ts'
import { requireThat } from '../../src/base/errors.ts'
import { readModelFile, type ModelFile } from '../../src/io/model-file.ts'
import { KERNELS } from '../../src/kernels.ts'
import { narrow } from '../../src/plan/narrow.ts'
import { layOut, type MemoryUse } from '../../src/runtime/layout.ts'
import { Session } from '../../src/runtime/session.ts'
import { compile } from '../compile.ts'
import { emitKernels } from '../emit-kernels.ts'
import { emitPlan, type EmittedPlan } from '../emit-plan.ts'
import { each } from '../text.ts'
import { VOCABULARY } from '../../src/text/vocabulary.ts'
import { withMemory, type Segment } from './memory.ts'

const ASSEMBLY = join(import.meta.dirname, '../../assembly')

/** Constants of kernels lie below; those of all of them take half. */
const KERNELS_END = 4096

export interface StandaloneOptions {
  isa: Isa
  /** Images and texts that run at once, at most as many as the model file is made for. */
  batch: number
}

export interface Standalone {
  wasm: Uint8Array<ArrayBuffer>
  plans: EmittedPlan[]
  memoryUse: MemoryUse
}

interface Constants {
  batch: number
  vocabularyAt: number
  workspaceAt: number
}

/**
 * The module of a model file. Throws a RangeError where the file is damaged, or its plans are not made for `batch`; the
 * file is checked as it is at every load.
 */
export async function buildStandalone(bytes: Uint8Array, { isa, batch }: StandaloneOptions): Promise<Standalone> {
  requireThat(ISAS.includes(isa), 'standalone', `target must be one of ${ISAS.join(', ')}`, isa)
  const { executor } = await Session.open(bytes, { sources: KERNELS })
  const file = readModelFile(bytes)
  const plans = file.plans.map((plan) => narrow(plan, { B: batch }))
  const { memoryUse, kept, addressesOf } = layOut(KERNELS_END, plans)
  const { files, kernels } = emitKernels(isa, (name) => readFileSync(join(ASSEMBLY, 'kernels', `${name}.ts`), 'utf8'))
  const emitted = plans.map((plan) => emitPlan(plan, addressesOf(plan), (family) => kernelOf(kernels, family)))
  const vocabulary: Segment = { at: memoryUse.total, data: bytesOf(file.kept ?? new Int32Array()) }
  const workspaceAt = roundUp(vocabulary.at + vocabulary.data.length, BUFFER_ALIGN)
  const constants = { batch, vocabularyAt: vocabulary.at, workspaceAt }

  files.set('kernels.ts', files.get('entry.ts')!)
  for (const { name, source } of emitted) files.set(`${planFile(name)}.ts`, source)
  files.set('model.ts', emitModel(file, emitted, constants))
  files.set('standalone.ts', readFileSync(join(ASSEMBLY, 'standalone.ts'), 'utf8'))
  files.set('entry.ts', emitEntry(emitted))
  const { wasm, heapBase } = await compile(isa, files)
  requireThat(heapBase <= KERNELS_END, 'standalone', `constants of kernels must end below ${KERNELS_END}`, heapBase)
  const weights = Array.from(kept, ([name, { at }]): Segment => ({ at, data: bytesOf(executor.tensor(name)) }))
  return { wasm: withMemory(wasm, workspaceAt, [...weights, vocabulary]), plans: emitted, memoryUse }
}

/** What assembly/standalone.ts and the host want to know of the model. */
function emitModel({ manifest, kept }: ModelFile, plans: readonly EmittedPlan[], constants: Constants): string {
  const { channels, image, temperature } = manifest
  const pixels = plans.flatMap(({ ports }) => ports).find(({ address }) => address === 'encodeImage_pixels')!
  return `/** Sizes of a model, and where its standalone module keeps what is no part of a plan. */
export const channels: i32 = ${channels}
export const image_size: i32 = ${image}
export const temperature: f64 = ${temperature}
export const vocabulary_rows: i32 = ${kept ? kept.length + 1 : VOCABULARY}

export const BATCH: i32 = ${constants.batch}
export const PIXELS_AT: usize = ${pixels.at}
export const KEPT: i32 = ${kept?.length ?? 0}
export const KEPT_AT: usize = ${constants.vocabularyAt}
export const WORKSPACE_AT: usize = ${constants.workspaceAt}
`
}

function emitEntry(plans: readonly EmittedPlan[]): string {
  return `/** Exports of a standalone module; compile() takes heapBase out. */
export { heapBase } from './kernels'
export { channels, image_size, temperature, vocabulary_rows } from './model'
export { similarity, vocabularyId, vocabularyRow, workspace, writePixels } from './standalone'
${each(plans.length, (i) => `export * from './${planFile(plans[i].name)}'`)}
`
}

/** Plans have names that are none of the other files. */
function planFile(name: string): string {
  return `plan_${name}`
}

/** Plans of model files are deterministic. */
function kernelOf(kernels: readonly KernelEntry[], family: string): KernelEntry {
  const found = kernels.find((kernel) => kernel.family === family && kernel.deterministic)
  requireThat(found !== undefined, 'standalone', 'must have a kernel of every family that a plan calls', family)
  return found
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
