/**
 * A model file judged by float64 arithmetic: the weights that it stores, as a graph wants them, and the graph run by the
 * interpreter. For tests of what the session makes of the same file.
 */
import type { Symbols } from '../../src/base/shape.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { MEAN, STD } from '../../src/image/resize.ts'
import { readModelFile } from '../../src/io/model-file.ts'
import type { ModelConfig } from '../../src/model/config.ts'
import { parameters } from '../../src/model/init.ts'
import { interpret } from '../../src/plan/interpret.ts'
import { VocabularyMap } from '../../src/text/vocabulary.ts'
import { valueFromModel } from '../../src/train/init-from.ts'

type Feeds = Record<string, ArrayLike<number>>

export class Oracle {
  readonly config: ModelConfig
  readonly kept: VocabularyMap
  private readonly file: ReturnType<typeof readModelFile>

  constructor(bytes: Uint8Array) {
    this.file = readModelFile(bytes)
    this.config = this.file.manifest.config as unknown as ModelConfig
    this.kept = new VocabularyMap(this.file.kept!)
  }

  /** Outputs of a graph on the weights of the file. */
  run(graph: Graph, feeds: Feeds, symbols: Symbols): Record<string, Float64Array> {
    const rows = Array.from({ length: this.kept.size }, (_, row) => this.kept.id(row) ?? 1)
    const weights = parameters(graph).map((p) => [p.name!, valueFromModel(this.file, graph, p, rows)])
    const outputs = interpret(graph, { ...Object.fromEntries(weights), ...feeds }, symbols)
    return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, Float64Array.from(data)]))
  }

  /** Feeds of encodeText for one text. */
  text(ids: readonly number[]): Feeds {
    return { ids: ids.map((id) => this.kept.row(id)), lengths: [ids.length] }
  }

  /** Feeds of encodeImage for RGB of the size that the model takes. */
  image(rgb: ArrayLike<number>): Feeds {
    const area = this.config.image ** 2
    const pixels = Array.from({ length: 3 * area }, (_, i) => {
      const c = Math.floor(i / area)
      return (rgb[(i % area) * 3 + c] / 255 - MEAN[c]) / STD[c]
    })
    return { pixels }
  }
}
