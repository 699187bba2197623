/**
 * Ternary products of our kernels beside those of the peers, shape by shape: the same weights and activations, results
 * compared before anything is timed, contenders in turns. Three accounts of a product stand side by side, since a call
 * of a peer has costs that are not its arithmetic, and peers in int8 quantise their input inside.
 */
import { errorText, requireThat } from '../../src/base/errors.ts'
import { difference, makeProduct, type Contender, type Engine, type Product, type Sizes } from './product.ts'
import { interleaved, type Call, type RoundsEffort } from './rounds.ts'

export const ROWS = [1, 16, 64, 240]
/** K and N. */
const LINEARS = [
  [128, 128],
  [256, 128],
  [384, 1536],
  [768, 768],
  [768, 3072],
] as const

/** One contender at one shape; times in microseconds. */
export interface ProductRow {
  bench: 'products'
  M: number
  K: number
  N: number
  name: string
  /** Input handed over, product, output read. */
  call: number
  /** Without handing over: own kernels alone; of others the call less one that computes nothing. */
  alone: number
  /** Own kernels on activations that are quantised already. */
  given?: number
  /** Billions of multiply-accumulates a second of `alone`. */
  gmacs: number
  /** Largest difference from y of the first contender, over the root mean square of y. */
  difference: number
}

/** A peer that does not serve, and why. */
export interface LeftOut {
  shape: Sizes
  name: string
  reason: string
}

export interface ProductResults {
  rows: ProductRow[]
  leftOut: LeftOut[]
}

export function shapes(rows: readonly number[]): Sizes[] {
  return LINEARS.flatMap(([K, N]) => rows.map((M): Sizes => [M, K, N]))
}

/** The contenders that serve a product and compute the same; the first engine is ours, and what others are held to. */
async function agreeing(engines: readonly Engine[], product: Product, leftOut: LeftOut[]) {
  const found: { contender: Contender; difference: number }[] = []
  let ours: ArrayLike<number> | undefined
  for (const engine of engines) {
    const miss = (name: string, error: unknown) =>
      leftOut.push({ shape: product.sizes, name, reason: errorText(error) })
    const made = await engine.contenders(product).catch((error: unknown) => void miss(engine.name, error))
    for (const contender of made ?? []) {
      const y = (await contender.call()) as ArrayLike<number>
      ours ??= y
      const most = difference(y, ours)
      try {
        requireThat(most <= contender.tolerance, contender.name, `must agree to ${contender.tolerance}`, most)
        found.push({ contender, difference: most })
      } catch (error) {
        miss(contender.name, error)
      }
    }
  }
  return found
}

/** Times one shape; without an effort results are only compared. */
export async function compareProduct(
  engines: readonly Engine[],
  sizes: Sizes,
  effort: RoundsEffort | undefined,
  leftOut: LeftOut[],
): Promise<ProductRow[]> {
  const [M, K, N] = sizes
  const found = await agreeing(engines, makeProduct(sizes), leftOut)
  const parts = found.flatMap(({ contender: { call, alone, given, idle } }) => [call, alone, given, idle])
  const calls = [...new Set(parts.filter((part) => part !== undefined))]
  const seconds = effort ? await interleaved(calls, effort) : calls.map(() => NaN)
  const time = (part: Call) => 1e6 * seconds[calls.indexOf(part)]
  return found.map(({ contender, difference }): ProductRow => {
    const { name, call, alone, given, idle } = contender
    const own = alone ? time(alone) : time(call) - (idle ? time(idle) : 0)
    const row = { bench: 'products' as const, M, K, N, name, call: time(call), alone: own }
    return { ...row, ...(given && { given: time(given) }), gmacs: (M * K * N) / own / 1000, difference }
  })
}

/** Lines of one shape; `ours` names the contender that the ratios divide by. */
export function shapeText(rows: readonly ProductRow[], ours: string): string {
  const [{ M, K, N }] = rows
  const own = rows.find(({ name }) => name === ours)
  const head = `M${M} K${K} N${N}`.padEnd(28)
  const times = (ratio: number | undefined) => (ratio === undefined ? '' : `${ratio.toFixed(2)} x`).padStart(9)
  const lines = rows.map((row) => {
    const ratios = row === own || !own ? [] : [row.call / own.call, row.alone / own.alone, row.alone / own.given!]
    const rate = `${row.call.toFixed(1).padStart(9)} ${row.alone.toFixed(1).padStart(9)} ${row.gmacs.toFixed(1).padStart(8)}`
    return `  ${row.name.padEnd(26)}${rate}${ratios.map(times).join('') || ' '.repeat(27)}  ${row.difference.toFixed(4)}`
  })
  return [`${head}  us call  us alone   GMAC/s  by call by alone by given  difference`, ...lines].join('\n')
}

/** A figure asked for: the peer's time over ours, at the shapes with so many rows. */
interface Figure {
  ours: string
  peer: string
  from: number
  to: number
  atLeast: number
}

const FIGURES: Figure[] = [
  { ours: 'bitgen relaxed', peer: 'ONNX Runtime Web int8', from: 16, to: Infinity, atLeast: 2 },
  { ours: 'bitgen relaxed', peer: 'ONNX Runtime Web f32', from: 16, to: Infinity, atLeast: 4 },
  { ours: 'bitgen relaxed', peer: 'ONNX Runtime Web f32', from: 1, to: 1, atLeast: 5 },
  { ours: 'bitgen simd128', peer: 'ONNX Runtime Web int8', from: 16, to: Infinity, atLeast: 1 },
]

/** The smallest and the middle ratio of each figure, by each account. */
export function figuresText(rows: readonly ProductRow[]): string[] {
  return FIGURES.flatMap(({ ours, peer, from, to, atLeast }) => {
    const pairs = rows.flatMap((other) => {
      if (other.name !== peer || other.M < from || other.M > to) return []
      const own = rows.find((row) => row.name === ours && row.M === other.M && row.K === other.K && row.N === other.N)
      return own
        ? [{ call: other.call / own.call, alone: other.alone / own.alone, given: other.alone / own.given! }]
        : []
    })
    if (pairs.length === 0) return []
    const account = (key: 'call' | 'alone' | 'given') => {
      const ratios = pairs.map((pair) => pair[key]).sort((a, b) => a - b)
      const met = ratios.filter((ratio) => ratio >= atLeast).length
      return `by ${key} ${ratios[0].toFixed(2)} to ${ratios.at(-1)!.toFixed(2)}, met at ${met} of ${ratios.length}`
    }
    const range = to === 1 ? 'M = 1' : `M >= ${from}`
    return [
      `${ours}, ${range}, against ${peer}, ${atLeast} x asked: ${(['call', 'alone', 'given'] as const).map(account).join('; ')}`,
    ]
  })
}
