/**
 * What a frozen vision tower makes of pictures that are not augmented, computed once for each: from then on a step costs
 * neither the tower nor its gradient.
 */
import { requireThat } from '../base/errors.ts'
import { Builder } from '../graph/builder.ts'
import type { Graph } from '../graph/graph.ts'
import { patches, type ModelConfig } from '../model/config.ts'
import { visionTower } from '../model/vision.ts'
import type { Executor } from '../runtime/execute.ts'
import { writePixels } from '../runtime/preprocess.ts'
import type { TrainConfig } from './config.ts'
import type { PictureSet } from './pictures.ts'
import { TOWER } from './tower-weights.ts'

/** Of all pictures together. */
const MAX_BYTES = 2 ** 33
const PLAN = 'encodeTower'

/** Whether a run can compute the tower once a picture. */
export function cachesTower({ freeze, augmentation }: Pick<TrainConfig, 'freeze' | 'augmentation'>): boolean {
  return augmentation === null && freeze.some((start) => TOWER.startsWith(start))
}

/** pixels [B,3,S,S] -> tower [B,1+P,hidden]. */
export function encodeTowerGraph(config: ModelConfig): Graph {
  const b = new Builder(PLAN)
  b.output('tower', visionTower(b, config, b.input('pixels', ['B', 3, config.image, config.image])))
  return b.graph
}

export class TowerCache {
  private readonly executor: Executor
  private readonly pictures: PictureSet
  private readonly known = new Map<number, Float32Array>()

  /** Throws where the outputs for all pictures would not fit into memory. */
  constructor(executor: Executor, model: ModelConfig, pictures: PictureSet) {
    const bytes = pictures.images.length * (1 + patches(model)) * model.vision.hidden * 4
    requireThat(bytes <= MAX_BYTES, 'frozen tower', `its outputs must fit into ${MAX_BYTES} bytes`, bytes)
    this.executor = executor
    this.pictures = pictures
  }

  /** Outputs [1+P,hidden] for pictures by number. Runs a plan: inputs of others must be written afterwards. */
  outputs(numbers: readonly number[]): Float32Array[] {
    const missing = [...new Set(numbers)].filter((number) => !this.known.has(number))
    const most = this.executor.maximum(PLAN, 'B')
    for (let from = 0; from < missing.length; from += most) {
      const part = missing.slice(from, from + most)
      const symbols = { B: part.length }
      part.forEach((number, i) => writePixels(this.executor, PLAN, this.pictures.pixels(number), i, symbols))
      this.executor.run(PLAN, symbols)
      const all = this.executor.io(PLAN, 'tower', symbols) as Float32Array
      const length = all.length / part.length
      part.forEach((number, i) => this.known.set(number, all.slice(i * length, (i + 1) * length)))
    }
    return numbers.map((number) => this.known.get(number)!)
  }
}
