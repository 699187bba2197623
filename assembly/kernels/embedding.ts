/**
 * Rows of a table by id, their gradient, and the marks that keep training sparse: a batch reaches few of 50,257 rows,
 * so the gradient costs only rows that some batch has touched. Ids are taken as they are: the host checks that they
 * lie in [0, V). Bound by memory traffic.
 */
import { addRow, bytes } from '../lib/lanes'

/** y[n] = table[ids[n]], rows of C. */
export function embedding__f32(tableAt: usize, idsAt: usize, yAt: usize, N: i32, C: i32): void {
  const row = bytes(C)
  for (let n = 0; n < N; n++) {
    memory.copy(yAt, tableAt + <usize>load<i32>(idsAt + bytes(n)) * row, row)
    yAt += row
  }
}

/** y[n] = codes[ids[n]] * scales[ids[n]], rows of C: the numbers that a table of int8 codes stands for. */
export function embedding__i8(codesAt: usize, scalesAt: usize, idsAt: usize, yAt: usize, N: i32, C: i32): void {
  for (let n = 0; n < N; n++) {
    const id = load<i32>(idsAt + bytes(n))
    const from = codesAt + <usize>id * <usize>C
    const scale = load<f32>(scalesAt + bytes(id))
    for (let c = 0; c < C; c++) store<f32>(yAt + bytes(c), <f32>load<i8>(from + <usize>c) * scale)
    yAt += bytes(C)
  }
}

/**
 * dtable[V,C] = sum of the rows dy[N,C] by id, in the order of n. With `touched` [V] u8, rows of flag 0 are not
 * written and hold whatever was there: every id must be marked, and readers must skip those rows.
 */
export function embedding_grad__f32(
  dyAt: usize,
  idsAt: usize,
  touchedAt: usize,
  dtableAt: usize,
  N: i32,
  V: i32,
  C: i32,
): void {
  const row = bytes(C)
  if (touchedAt) {
    for (let v = 0; v < V; v++) {
      if (load<u8>(touchedAt + <usize>v)) memory.fill(dtableAt + <usize>v * row, 0, row)
    }
  } else {
    memory.fill(dtableAt, 0, <usize>V * row)
  }
  for (let n = 0; n < N; n++) {
    addRow(dyAt, dtableAt + <usize>load<i32>(idsAt + bytes(n)) * row, C)
    dyAt += row
  }
}

/** touched[ids[n]] = 1, in place. */
export function mark_touched__u8(idsAt: usize, touchedAt: usize, N: i32): void {
  for (let n = 0; n < N; n++) store<u8>(touchedAt + <usize>load<i32>(idsAt + bytes(n)), 1)
}
