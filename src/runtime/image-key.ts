/**
 * What the episodic memory compares pictures by: the contrastive feature, which says what a picture shows, beside the
 * states of its patches, which say where. Both as unit vectors, so the cosine of two keys is the mean of their two
 * cosines. Either alone recognises fewer of the things that were never trained on (models/README.md).
 */

/** Cells of the grid by side; pictures of fewer patches have a cell each. */
const SIDE = 4

/** Numbers of a key. */
export function imageKeyLength(patches: number, channels: number): number {
  return (cellsOf(Math.sqrt(patches)) ** 2 + 1) * channels
}

/** `feature` [C], `states` [1+P,C] of a square of P patches behind the class token -> key [(1+cells) C]. */
export function imageKey({ feature, states }: { feature: Float32Array; states: Float32Array }): Float32Array {
  const channels = feature.length
  const side = Math.sqrt(states.length / channels - 1)
  const cells = gridCells(states.subarray(channels), side, channels)
  const key = new Float32Array(feature.length + cells.length)
  key.set(unit(feature))
  key.set(unit(cells), feature.length)
  return key
}

function cellsOf(side: number): number {
  return Math.min(SIDE, side)
}

/** Means of the patches [side,side,C] of each cell [cells,cells,C]; where sides do not divide, cells overlap. */
function gridCells(patches: Float32Array, side: number, channels: number): Float64Array {
  const cells = cellsOf(side)
  const out = new Float64Array(cells * cells * channels)
  const range = (cell: number) => [Math.floor((cell * side) / cells), Math.ceil(((cell + 1) * side) / cells)]
  for (let cell = 0; cell < cells * cells; cell++) {
    const [top, bottom] = range(Math.floor(cell / cells))
    const [left, right] = range(cell % cells)
    const share = 1 / ((bottom - top) * (right - left))
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        for (let c = 0; c < channels; c++) out[cell * channels + c] += share * patches[(y * side + x) * channels + c]
      }
    }
  }
  return out
}

/** Zeros stay zeros. */
function unit(vector: Float32Array | Float64Array): Float32Array | Float64Array {
  let squares = 0
  for (const x of vector) squares += x * x
  const norm = Math.sqrt(squares)
  return vector.map((x) => (norm > 0 ? x / norm : 0))
}
