/**
 * Position tables of a ViT for another grid: bicubic, a = -0.75, align_corners false, no antialias, as PyTorch's
 * interpolate. The first row (CLS) stays. Runs once at export, or once a step where the tower trains: plain loops.
 */
import { axpy, bytes } from '../lib/lanes'

const A: f64 = -0.75

/** Weight of a tap at distance z in [0, 2] (Keys 1981). */
function cubic(z: f64): f64 {
  if (z <= 1) return ((A + 2) * z - (A + 3)) * z * z + 1
  return ((A * z - 5 * A) * z + 8 * A) * z - 4 * A
}

/** Where output i of `grid` lies on the axis of the stored grid of side g. */
function source(i: i32, g: i32, grid: i32): f64 {
  return ((<f64>i + 0.5) * <f64>g) / <f64>grid - 0.5
}

/** Row of the stored table at (y, x), clamped to the grid, behind CLS. */
function cell(y: i32, x: i32, g: i32): usize {
  return <usize>(1 + min(max(y, 0), g - 1) * g + min(max(x, 0), g - 1))
}

/** table [1+g*g,d] -> y [1+grid*grid,d]. */
export function resize_positions__f32(tableAt: usize, yAt: usize, g: i32, grid: i32, d: i32): void {
  memory.copy(yAt, tableAt, bytes(d))
  memory.fill(yAt + bytes(d), 0, bytes(grid * grid * d))
  interpolate(tableAt, yAt, g, grid, d, false)
}

/** dtable [1+g*g,d] from dy [1+grid*grid,d]: the transpose. */
export function resize_positions_grad__f32(dyAt: usize, dtableAt: usize, g: i32, grid: i32, d: i32): void {
  memory.copy(dtableAt, dyAt, bytes(d))
  memory.fill(dtableAt + bytes(d), 0, bytes(g * g * d))
  interpolate(dtableAt, dyAt, g, grid, d, true)
}

/** Adds weight * row between the stored table and the resized one, for all 16 taps of every output cell. */
function interpolate(storedAt: usize, resizedAt: usize, g: i32, grid: i32, d: i32, transposed: bool): void {
  let at = resizedAt + bytes(d)
  for (let oy = 0; oy < grid; oy++) {
    const sy = source(oy, g, grid)
    for (let ox = 0; ox < grid; ox++) {
      const sx = source(ox, g, grid)
      for (let ky = -1; ky <= 2; ky++) {
        const y = <i32>floor(sy) + ky
        for (let kx = -1; kx <= 2; kx++) {
          const x = <i32>floor(sx) + kx
          const weight = <f32>(cubic(abs(sy - <f64>y)) * cubic(abs(sx - <f64>x)))
          const stored = storedAt + cell(y, x, g) * bytes(d)
          if (transposed) axpy(weight, at, stored, d)
          else axpy(weight, stored, at, d)
        }
      }
      at += bytes(d)
    }
  }
}
