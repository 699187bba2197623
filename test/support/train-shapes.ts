/** A training run on the shapes (shapes.ts), on one instruction set. */
import { trainConfig } from '../../src/train/config.ts'
import { trainRun, type RunOptions, type RunResult } from '../../src/train/run.ts'
import { builtModule } from './kernels.ts'
import { shapeConfig } from './shapes.ts'

/** Trains into the folder `output` below `dir`, or goes on there, until the run ends. */
export async function trainShapes(
  dir: string,
  output: string,
  overrides: Record<string, unknown> = {},
  options: Partial<RunOptions> = {},
): Promise<RunResult> {
  const config = trainConfig(shapeConfig({ ...overrides, output }), dir)
  return trainRun(config, { kernels: await builtModule('simd128'), ...options })
}
