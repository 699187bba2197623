/**
 * Starting values for `train --init`. From a checkpoint as they are; from a model file what export stored, turned back
 * into parameters. The float weights behind ternary codes are gone; gamma * code / (share of codes that are not 0) has
 * the same codes and gamma. A table of positions that was resized at export cannot be had back.
 */
import { requireThat } from '../base/errors.ts'
import { fixed, size } from '../base/shape.ts'
import type { Graph, Value } from '../graph/graph.ts'
import { KEPT, type ModelFile } from '../io/model-file.ts'
import type { Container } from '../io/safetensors.ts'
import { TOKEN_TABLE } from '../model/text.ts'
import { preparedName } from '../plan/lower.ts'
import { unpackTernary } from '../quant/ternary.ts'
import { storedWeight } from '../runtime/weights.ts'
import { VocabularyMap } from '../text/vocabulary.ts'

/** An op's input from its output, where weights are stored behind it; `shape` is that of the output. */
const UNDO: Record<string, ((data: Float32Array, shape: readonly number[]) => Float32Array) | undefined> = {
  reshape: (data) => data,
  // Rounding what was rounded changes nothing.
  round_rows: (data) => data,
  swap_axes: (data, [, J, I]) =>
    data.map((_, at) => {
      const [n, i, j] = [Math.floor(at / (I * J)), Math.floor(at / J) % I, at % J]
      return data[(n * J + j) * I + i]
    }),
}

/**
 * The value of parameter `p` of `graph` in a model file, in the layout of the checkpoint. `rows` leads from the rows of
 * this run's vocabulary table to ids of GPT-2. Undefined where the model has no such parameter; throws a RangeError where
 * it has another shape.
 */
export function valueFromModel(
  file: ModelFile,
  graph: Graph,
  p: Value,
  rows: readonly number[],
): Float32Array | undefined {
  if (p.name === 'itc.log_temperature') return Float32Array.of(file.manifest.logTemperature)
  const data = restored(file, graph, p)
  if (!data) return undefined
  if (p.name === TOKEN_TABLE) return tableRows(data, file.kept, rows, fixed(p.shape[1]))
  requireThat(
    data.length === size(p.shape),
    `init model: ${p.name}`,
    `must have shape [${p.shape}]`,
    `${data.length} numbers`,
  )
  return data
}

/**
 * The value of parameter `p` in a checkpoint; the rows of a table of some ids go to the same ids of this run. Undefined
 * where the checkpoint has no such parameter; throws a RangeError where it has another shape.
 */
export function valueFromCheckpoint(
  { tensors }: Container,
  p: Value,
  rows: readonly number[],
): Float32Array | undefined {
  const tensor = tensors.get(p.name!)
  if (!tensor) return undefined
  const [shape, data] = [p.shape.map(fixed), tensor.data as Float32Array]
  const kept = tensors.get(KEPT)?.data as Int32Array | undefined
  const isPruned =
    p.name === TOKEN_TABLE && kept !== undefined && `${tensor.shape}` === `${[kept.length + 1, shape[1]]}`
  if (isPruned) return tableRows(data, kept, rows, shape[1])
  requireThat(
    `${tensor.shape}` === `${shape}`,
    `init checkpoint: ${p.name}`,
    `must have shape [${shape}]`,
    tensor.shape,
  )
  return data
}

/** A value that the file holds as it is, or behind ops that can be undone; undefined where it has neither. */
function restored(file: ModelFile, graph: Graph, value: Value): Float32Array | undefined {
  const isStored = (one: Value) => file.tensors.has(preparedName(one))
  if (isStored(value)) return plain(file, value)
  for (const { op, inputs, outputs } of graph.nodes) {
    if (inputs[0] !== value) continue
    if (op.name === 'ternarize' && isStored(outputs[0])) return fromCodes(file, outputs)
    const undo = UNDO[op.name]
    const behind = undo && restored(file, graph, outputs[0])
    if (behind) return undo(behind, outputs[0].shape.map(fixed))
  }
  return undefined
}

function plain(file: ModelFile, value: Value): Float32Array {
  return storedWeight(file, preparedName(value), 'f32') as Float32Array
}

/** Weights [N,K] that ternarize to the codes and the gamma of the file. */
function fromCodes(file: ModelFile, [codesValue, gammaValue]: readonly Value[]): Float32Array {
  const [N, K] = codesValue.shape.map(fixed)
  const codes = unpackTernary(storedWeight(file, preparedName(codesValue), 't2') as Uint8Array, N, K)
  const [gamma] = plain(file, gammaValue)
  const share = codes.reduce((sum, code) => sum + Math.abs(code), 0) / codes.length
  return Float32Array.from(codes, (code) => (code * gamma) / Math.max(share, 1 / codes.length))
}

/** Rows of a table of the ids `kept` for those of this run's; ids without a row of their own start as the shared one. */
function tableRows(
  table: Float32Array,
  kept: Int32Array | undefined,
  rows: readonly number[],
  C: number,
): Float32Array {
  const map = kept && new VocabularyMap(kept)
  const values = new Float32Array(rows.length * C)
  rows.forEach((id, row) => {
    const from = map ? map.row(id) : id
    values.set(table.subarray(from * C, from * C + C), row * C)
  })
  return values
}
