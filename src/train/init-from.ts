/**
 * Starting values from a model file, for `train --init`: what export stored, turned back into parameters. The float
 * weights behind ternary codes are gone; gamma * code / (share of codes that are not 0) has the same codes and gamma.
 */
import { message, requireThat } from '../base/errors.ts'
import { fixed } from '../base/shape.ts'
import type { Value } from '../graph/graph.ts'
import type { ModelFile } from '../io/model-file.ts'
import { TOKEN_TABLE } from '../model/text.ts'
import { unpackTernary } from '../quant/ternary.ts'
import { storedWeight } from '../runtime/session.ts'
import { VocabularyMap } from '../text/vocabulary.ts'

/** What lowering adds to the name of a convolution's weight whose kernel it reorders, and of a ternary weight. */
const REORDERED = ':swap_axes'
const CODES = ':ternarize.0'
const GAMMA = ':ternarize.1'

/**
 * The value of parameter `p` in a model file, in the layout of the checkpoint. `rows` leads from the rows of this run's
 * vocabulary table to ids of GPT-2. Throws a RangeError where the model has no such parameter or another shape.
 */
export function valueFromModel(file: ModelFile, p: Value, rows: readonly number[]): Float32Array {
  const name = p.name!
  const shape = p.shape.map(fixed)
  if (name === 'itc.log_temperature') return Float32Array.of(file.manifest.logTemperature)
  const stored = [name, name + REORDERED].find((n) => file.tensors.has(n) || file.tensors.has(n + CODES))
  if (stored === undefined) throw new RangeError(message('init model', `must have the parameter ${name}`))
  const columns = shape.slice(1).reduce((product, dim) => product * dim, 1)
  const data = file.tensors.has(stored) ? plain(file, stored) : fromCodes(file, stored, shape[0], columns)
  if (name === TOKEN_TABLE) return tableRows(data, file, rows, shape[1])
  requireThat(
    data.length === shape[0] * columns,
    `init model: ${name}`,
    `must have shape [${shape}]`,
    `${data.length} numbers`,
  )
  return stored === name ? data : channelsFirst(data, shape)
}

function plain(file: ModelFile, name: string): Float32Array {
  return storedWeight(file, name, false) as Float32Array
}

function fromCodes(file: ModelFile, name: string, N: number, K: number): Float32Array {
  const codes = unpackTernary(storedWeight(file, name + CODES, true) as Uint8Array, N, K)
  const gamma = plain(file, name + GAMMA)[0]
  const share = codes.reduce((sum, code) => sum + Math.abs(code), 0) / codes.length
  return Float32Array.from(codes, (code) => (code * gamma) / Math.max(share, 1 / codes.length))
}

/** [N, k*k, C] as stored to [N, C, k, k] as in the checkpoint. */
function channelsFirst(data: Float32Array, [, C, height, width]: number[]): Float32Array {
  const places = height * width
  return data.map((_, i) => {
    const [n, c, place] = [Math.floor(i / (C * places)), Math.floor(i / places) % C, i % places]
    return data[n * C * places + place * C + c]
  })
}

/** Rows of the model's table for the rows of this run's; ids without a row of their own start as the shared one. */
function tableRows(table: Float32Array, { kept }: ModelFile, rows: readonly number[], C: number): Float32Array {
  const map = kept && new VocabularyMap(kept)
  const values = new Float32Array(rows.length * C)
  rows.forEach((id, row) => {
    const from = map ? map.row(id) : id
    values.set(table.subarray(from * C, from * C + C), row * C)
  })
  return values
}
