/**
 * A checkpoint to a model file: inference plans, weights packed as they are run, the vocabulary pruned to the ids of the
 * training texts. Metrics are taken on the result, not on the checkpoint.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Plan, PlanBuffer } from '../abi.ts'
import { exp } from '../base/math.ts'
import { requireThat } from '../base/errors.ts'
import type { Graph } from '../graph/graph.ts'
import { readCheckpoint } from '../io/checkpoint.ts'
import { KEPT, PRIOR, scaleName, writeModelFile, type ModelManifest, type Scope } from '../io/model-file.ts'
import { tensorOf, type Container, type Tensor } from '../io/safetensors.ts'
import { KERNELS } from '../kernels.ts'
import { TRAINING_KERNELS } from '../training-kernels.ts'
import { inferenceGraphs } from '../model/bitgen.ts'
import type { ModelConfig } from '../model/config.ts'
import { countByPart, parameterSizes } from '../model/parameters.ts'
import type { LossWeights } from '../model/objective.ts'
import { lower } from '../plan/lower.ts'
import { encodeHalf } from '../quant/half.ts'
import { encodeRows } from '../quant/rows.ts'
import { Executor } from '../runtime/execute.ts'
import type { Kernels } from '../runtime/kernels.ts'
import { loadKernels } from '../runtime/load.ts'
import { selfTest } from '../runtime/self-test.ts'
import { Session } from '../runtime/session.ts'
import { VocabularyMap } from '../text/vocabulary.ts'
import type { TrainConfig } from './config.ts'
import { int8Plans } from './int8.ts'
import { recordOf } from './record.ts'

/** Images, texts and hypotheses of a caption that a model takes at once; images and texts beyond are run in parts. */
const BATCH = 8

export interface ExportOptions {
  /** Default: the best that work here; those of an instruction set give the bits of every other. */
  kernels?: Kernels
  /** Figures by set, for the manifest. */
  results?: ModelManifest['results']
  /** Thresholds of recognition; null, the default, where they were not measured. */
  scope?: Scope | null
}

/**
 * The bytes of the model file for a checkpoint. Throws an Error that names the checkpoint where it cannot be read, is
 * none of a training run or lacks a parameter; and where no kernels work here.
 */
export async function exportModel(checkpointPath: string, options: ExportOptions = {}): Promise<Uint8Array> {
  const { kernels = await loadKernels({ sources: TRAINING_KERNELS }), results = {}, scope = null } = options
  const checkpoint = readCheckpoint(checkpointPath)
  const { kind } = checkpoint.metadata
  requireThat(kind === 'checkpoint', checkpointPath, 'must be a checkpoint of a training run', kind)
  const trained = JSON.parse(checkpoint.metadata.model) as ModelConfig
  const config = JSON.parse(checkpoint.metadata.config) as TrainConfig
  const kept = new VocabularyMap(parameter(checkpoint, KEPT, checkpointPath).data as Int32Array)
  const model = { ...trained, vocabulary: kept.size }
  const graphs = trainedGraphs(model, config.losses)
  const sizes = parameterSizes(graphs)
  const values = parameterValues(sizes, checkpoint, kept, checkpointPath)
  // A caption has as many ids as the longest text of training behind its BOS: no later position was learnt.
  const N = Math.min(config.maxTokens, model.maxLength) - 1
  const symbols = { B: BATCH, T: model.maxLength, L: N - 1, N }

  const tensors = new Map<string, Tensor>([[KEPT, tensorOf(kept.kept)]])
  if (hasMemory(config.losses)) {
    tensors.set(PRIOR, parameter(checkpoint, PRIOR, checkpointPath))
    sizes.set(PRIOR, model.slots * model.channels)
  }
  const lowered: Plan[] = []
  for (const graph of graphs) {
    const prepare = lower(graph, { symbols, deterministic: true, part: 'prepare' })
    const run = lower(graph, { symbols, deterministic: true, part: 'run' })
    const executor = new Executor(kernels, [prepare])
    for (const { name } of executor.names('weight')) executor.tensor(name!).set(values.get(name!)!)
    executor.run(prepare.name)
    for (const buffer of run.buffers.filter(({ segment }) => segment === 'weight')) {
      const name = buffer.name!
      const data = prepare.outputs.includes(name) ? executor.io(prepare.name, name) : values.get(name)!
      store(tensors, buffer, data.slice() as Float32Array)
    }
    lowered.push(run)
  }
  const plans = int8Plans(lowered, tensors)
  const logTemperature = parameter(checkpoint, 'itc.log_temperature', checkpointPath).data[0] as number
  const manifest: ModelManifest = {
    name: config.name,
    config: { ...model },
    image: model.image,
    maxLength: model.maxLength,
    prefix: model.prefix,
    channels: model.channels,
    temperature: exp(logTemperature),
    logTemperature,
    scope,
    selfTest: null,
    parameters: countByPart(sizes),
    training: recordOf(checkpointPath, checkpoint),
    data: JSON.parse(checkpoint.metadata.source) as ModelManifest['data'],
    results,
  }
  const session = await Session.open(writeModelFile(manifest, plans, tensors), { sources: KERNELS })
  return writeModelFile({ ...manifest, selfTest: (await selfTest(session)) ?? null }, plans, tensors)
}

/** The entry points that a run with these losses has trained. */
function trainedGraphs(model: ModelConfig, { itm, text }: LossWeights): Graph[] {
  const trained: Record<string, boolean> = { fuse: itm > 0, startDecoding: text > 0, decodeNext: text > 0 }
  return inferenceGraphs(model).filter(({ name }) => trained[name] ?? true)
}

/** Whether the memory was trained, by its own loss or by texts that read it. Its codes come with the matching's pass. */
function hasMemory({ itm, text, memory }: LossWeights): boolean {
  return itm > 0 && (text > 0 || memory > 0)
}

function parameter({ tensors }: Container, name: string, path: string): Tensor {
  const tensor = tensors.get(name)
  requireThat(tensor !== undefined, path, `must hold the parameter ${name}`)
  return tensor
}

/** Values of parameters by name, the vocabulary table pruned. */
function parameterValues(
  sizes: ReadonlyMap<string, number>,
  checkpoint: Container,
  kept: VocabularyMap,
  path: string,
): Map<string, Float32Array> {
  const values = Array.from(sizes, ([name, length]): [string, Float32Array] => {
    const { shape, data } = parameter(checkpoint, name, path) as Tensor & { data: Float32Array }
    return [name, data.length === length ? data : prunedTable(data, shape[1], kept)]
  })
  return new Map(values)
}

/** The rows of the kept ids, and one for all others: their mean. */
function prunedTable(table: Float32Array, C: number, kept: VocabularyMap): Float32Array {
  const pruned = new Float32Array(kept.size * C)
  const shared = new Float64Array(C)
  const isKept = new Set(kept.kept)
  kept.kept.forEach((id, row) => pruned.set(table.subarray(id * C, id * C + C), row * C))
  for (let id = 0; id < table.length / C; id++) {
    if (!isKept.has(id)) for (let c = 0; c < C; c++) shared[c] += table[id * C + c]
  }
  const others = Math.max(1, table.length / C - kept.kept.length)
  pruned.set(
    shared.map((sum) => sum / others),
    kept.kept.length * C,
  )
  return pruned
}

/**
 * Stores a weight of a plan: matrices as int8 rows, tables that are added to activations as f16, vectors as f32, packed
 * codes as they are. Throws where another plan means something else by its name.
 */
function store(tensors: Map<string, Tensor>, { name, dtype, shape }: PlanBuffer, data: Float32Array): void {
  const sizes = shape as number[]
  const [N, K] = [sizes[0], sizes.slice(1).reduce((product, dim) => product * dim, 1)]
  const isTable = /pos_embedding|position_embeddings|cls_token/.test(name!)
  const set = (key: string, tensor: Tensor) => {
    const same = isDeepStrictEqual(tensors.get(key) ?? tensor, tensor)
    requireThat(same, `export: ${key}`, 'must be the same in every plan')
    tensors.set(key, tensor)
  }
  if (dtype !== 'f32') set(name!, tensorOf(data))
  else if (sizes.length === 1) set(name!, tensorOf(data, sizes))
  else if (isTable) set(name!, tensorOf(encodeHalf(data), sizes))
  else {
    const { codes, scales } = encodeRows(data, N, K)
    set(name!, tensorOf(codes, [N, K]))
    set(scaleName(name!), tensorOf(scales))
  }
}
