/**
 * Health of ternary training: shares of weights that are zero, and that changed since the last look. Recipe: zeros
 * 30-33 %, flips 6-10 % per 50 steps at peak rate and below 1 % at the end.
 */
import type { Graph, Value } from '../graph/graph.ts'

/** Names of the parameters that a graph ternarizes, through reshapes and swaps of axes. */
function ternaryParameters(graph: Graph): string[] {
  const root = (value: Value): Value => (value.node ? root(value.node.inputs[0]!) : value)
  return graph.nodes.flatMap(({ op, inputs }) => (op.name === 'ternarize' ? [root(inputs[0]!).name!] : []))
}

export class TernaryWatch {
  private readonly names: string[]
  private last: Int8Array[] | undefined

  constructor(graph: Graph) {
    this.names = ternaryParameters(graph)
  }

  /** Looks at the weights now. `flips` is absent the first time; NaN where no weight is ternary. */
  look(weight: (name: string) => ArrayLike<number>): { zeros: number; flips?: number } {
    const codes = this.names.map((name) => ternaryCodes(weight(name)))
    let count = 0
    let zeros = 0
    let flips = 0
    codes.forEach((now, n) => {
      count += now.length
      now.forEach((code, i) => {
        if (code === 0) zeros++
        if (this.last && this.last[n][i] !== code) flips++
      })
    })
    const first = this.last === undefined
    this.last = codes
    return first ? { zeros: zeros / count } : { zeros: zeros / count, flips: flips / count }
  }
}

/** Signs of the weights beyond half of their mean size: what ternarize gives, up to ties. */
function ternaryCodes(W: ArrayLike<number>): Int8Array {
  let sum = 0
  for (let i = 0; i < W.length; i++) sum += Math.abs(W[i])
  const half = Math.max(sum / W.length, 1e-5) / 2
  return Int8Array.from(W, (w) => (Math.abs(w) <= half ? 0 : Math.sign(w)))
}
