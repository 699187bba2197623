/**
 * A checkpoint to a model file: inference plans, weights packed as they are run, the vocabulary pruned to the ids of the
 * training texts. Metrics are taken on the result, not on the checkpoint.
 */
import { createHash } from 'node:crypto'
import type { Plan, PlanBuffer } from '../abi.ts'
import { exp } from '../base/math.ts'
import { message, requireThat } from '../base/errors.ts'
import { size } from '../base/shape.ts'
import type { Graph } from '../graph/graph.ts'
import { readCheckpoint } from '../io/checkpoint.ts'
import { KEPT, modelMetadata, scaleName, type ModelManifest } from '../io/model-file.ts'
import { sealSafetensors, tensorOf, type Container, type Tensor } from '../io/safetensors.ts'
import { KERNELS } from '../kernels.ts'
import { encodeImageGraph, encodeTextGraph } from '../model/bitgen.ts'
import type { ModelConfig } from '../model/config.ts'
import { parameters } from '../model/init.ts'
import { lower } from '../plan/lower.ts'
import { encodeHalf } from '../quant/half.ts'
import { encodeRows } from '../quant/rows.ts'
import { Executor } from '../runtime/execute.ts'
import type { Kernels } from '../runtime/kernels.ts'
import { loadKernels } from '../runtime/load.ts'
import { VocabularyMap } from '../text/vocabulary.ts'
import type { TrainConfig } from './config.ts'
import { trainingRecord } from './record.ts'
import type { RunState } from './run.ts'

/** Images and texts that a model takes at once; more are run in parts. */
const BATCH = 8

export interface ExportOptions {
  /** Default: the best that work here; those of an instruction set give the bits of every other. */
  kernels?: Kernels
  /** Figures by set, for the manifest. */
  results?: ModelManifest['results']
}

/**
 * The bytes of the model file for a checkpoint. Throws an Error that names the checkpoint where it cannot be read, is
 * none of a training run or lacks a parameter; and where no kernels work here.
 */
export async function exportModel(checkpointPath: string, options: ExportOptions = {}): Promise<Uint8Array> {
  const { kernels = await loadKernels({ sources: KERNELS }), results = {} } = options
  const checkpoint = readCheckpoint(checkpointPath)
  const { kind } = checkpoint.metadata
  requireThat(kind === 'checkpoint', checkpointPath, 'must be a checkpoint of a training run', kind)
  const trained = JSON.parse(checkpoint.metadata.model) as ModelConfig
  const config = JSON.parse(checkpoint.metadata.config) as TrainConfig
  const progress = JSON.parse(checkpoint.metadata.progress) as RunState
  const kept = new VocabularyMap(checkpoint.tensors.get(KEPT)!.data as Int32Array)
  const model = { ...trained, vocabulary: kept.size }
  const graphs = [encodeImageGraph(model), encodeTextGraph(model)]
  const values = parameterValues(graphs, checkpoint, kept, checkpointPath)

  const tensors = new Map<string, Tensor>([[KEPT, tensorOf(kept.kept)]])
  const plans: Plan[] = []
  for (const graph of graphs) {
    const symbols = { B: BATCH, T: model.maxLength }
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
    plans.push(run)
  }
  const logTemperature = checkpoint.tensors.get('itc.log_temperature')!.data[0] as number
  const manifest: ModelManifest = {
    name: config.name,
    config: { ...model },
    image: model.image,
    maxLength: model.maxLength,
    prefix: model.prefix,
    channels: model.channels,
    temperature: exp(logTemperature),
    logTemperature,
    parameters: countByPart(graphs),
    training: trainingRecord(checkpointPath, progress.step, config),
    data: JSON.parse(checkpoint.metadata.source) as ModelManifest['data'],
    results,
  }
  const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')
  return sealSafetensors(tensors, modelMetadata(manifest, plans, sha256), sha256)
}

/** Parameters of the graphs by name, the vocabulary table pruned. */
function parameterValues(
  graphs: readonly Graph[],
  { tensors }: Container,
  kept: VocabularyMap,
  path: string,
): Map<string, Float32Array> {
  const values = graphs.flatMap(parameters).map(({ name, shape }): [string, Float32Array] => {
    const tensor = tensors.get(name!)
    if (!tensor) throw new RangeError(message(path, `must hold the parameter ${name}`))
    const data = tensor.data as Float32Array
    return [name!, data.length === size(shape) ? data : prunedTable(data, tensor.shape[1], kept)]
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

/** Matrices as int8 rows, tables that are added to activations as f16, vectors as f32, packed codes as they are. */
function store(tensors: Map<string, Tensor>, { name, dtype, shape }: PlanBuffer, data: Float32Array): void {
  const sizes = shape as number[]
  const [N, K] = [sizes[0], sizes.slice(1).reduce((product, dim) => product * dim, 1)]
  const isTable = /pos_embedding|position_embeddings|cls_token/.test(name!)
  if (dtype !== 'f32') tensors.set(name!, tensorOf(data))
  else if (sizes.length === 1) tensors.set(name!, tensorOf(data, sizes))
  else if (isTable) tensors.set(name!, tensorOf(encodeHalf(data), sizes))
  else {
    const { codes, scales } = encodeRows(data, N, K)
    tensors.set(name!, tensorOf(codes, [N, K]))
    tensors.set(scaleName(name!), tensorOf(scales))
  }
}

/** Numbers of parameters by the part of the model that their names begin with, the embeddings apart. */
function countByPart(graphs: readonly Graph[]): Record<string, number> {
  const parts: Record<string, number> = {}
  const counted = new Map(graphs.flatMap(parameters).map((p) => [p.name!, size(p.shape)]))
  for (const [name, count] of counted) {
    const part = /^text\.(token|pos)_embedding/.test(name) ? 'text embeddings' : name.split('.')[0]
    parts[part] = (parts[part] ?? 0) + count
  }
  return { ...parts, total: [...counted.values()].reduce((sum, count) => sum + count, 0) }
}
