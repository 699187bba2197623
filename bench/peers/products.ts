/**
 * Ternary products of our kernels beside those of the peers, shape by shape: the same weights and activations, results
 * compared before anything is timed, contenders in turns. Three accounts of a product stand side by side, since a call
 * of a peer has costs that are not its arithmetic, and peers in int8 quantise their input inside.
 */
import { errorText, message } from '../../src/base/errors.ts'
import { difference, type Contender, type Engine, type Product, type Sizes } from './product.ts'
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

/** A peer's product alone is told where it is at least this part of its call. */
const LEAST_REST = 0.1

/** One contender at one shape; times in microseconds. */
export interface ProductRow {
  bench: 'products'
  M: number
  K: number
  N: number
  name: string
  /** Input handed over, product, output read. */
  call: number
  /**
   * Without handing over: own kernels alone; of others the call less one that computes nothing, absent where that leaves
   * too little to tell.
   */
  alone?: number
  /** Own kernels on activations that are quantised already. */
  given?: number
  /** Billions of multiply-accumulates a second of `alone`. */
  gmacs?: number
  /** Largest difference from y of the first contender, over the root mean square of y. */
  difference: number
}

/** A contender without a row, and why. */
export interface LeftOut {
  at: string
  name: string
  reason: string
  /** It gave another result than ours. */
  differs: boolean
}

const nameOf = ([M, K, N]: Sizes) => `M${M} K${K} N${N}`

export function shapes(rows: readonly number[]): Sizes[] {
  return LINEARS.flatMap(([K, N]) => rows.map((M): Sizes => [M, K, N]))
}

/** A contender with the largest difference of its y from that of the first, which is ours. */
export interface Agreeing {
  contender: Contender
  difference: number
}

/** The contenders that serve a product and compute the same. */
export async function agreeing(engines: readonly Engine[], product: Product, leftOut: LeftOut[]): Promise<Agreeing[]> {
  const at = nameOf(product.sizes)
  const found: Agreeing[] = []
  let ours: ArrayLike<number> | undefined
  for (const engine of engines) {
    let contenders: Contender[] = []
    try {
      contenders = await engine.contenders(product)
    } catch (error) {
      leftOut.push({ at, name: engine.name, reason: errorText(error), differs: false })
    }
    for (const contender of contenders) {
      const { name, tolerance, call } = contender
      const y = (await call()) as ArrayLike<number>
      ours ??= y
      const most = difference(y, ours)
      if (most <= tolerance) found.push({ contender, difference: most })
      else leftOut.push({ at, name, reason: message('product', `must agree to ${tolerance}`, most), differs: true })
    }
  }
  return found
}

/** Times the contenders at one shape. */
export async function timeProduct(
  [M, K, N]: Sizes,
  found: readonly Agreeing[],
  effort: RoundsEffort,
): Promise<ProductRow[]> {
  const parts = found.flatMap(({ contender: { call, alone, given, idle } }) => [call, alone, given, idle])
  const calls = [...new Set(parts.filter((part) => part !== undefined))]
  const seconds = await interleaved(calls, effort)
  const time = (part: Call) => 1e6 * seconds[calls.indexOf(part)]
  return found.map(({ contender, difference }): ProductRow => {
    const { name, call, alone, given, idle } = contender
    const rest = alone ? time(alone) : time(call) - (idle ? time(idle) : 0)
    const row = { bench: 'products' as const, M, K, N, name, call: time(call), difference }
    if (rest < LEAST_REST * row.call) return row
    return { ...row, alone: rest, ...(given && { given: time(given) }), gmacs: (M * K * N) / rest / 1000 }
  })
}

type Ratios = Record<'call' | 'alone' | 'given', number | undefined>

/** Times of a contender over ours, by each account. */
function ratios(other: ProductRow, ours: ProductRow): Ratios {
  const over = (time: number | undefined, own: number | undefined) => time && own && time / own
  return {
    call: other.call / ours.call,
    alone: over(other.alone, ours.alone),
    given: over(other.alone, ours.given),
  }
}

const fixedText = (value: number | undefined, digits: number, width: number) =>
  (value?.toFixed(digits) ?? '-').padStart(width)

/** Lines of one shape; `ours` names the contender that the ratios divide by. */
export function shapeText(rows: readonly ProductRow[], ours: string): string {
  const own = rows.find(({ name }) => name === ours)
  const head = nameOf([rows[0].M, rows[0].K, rows[0].N]).padEnd(26)
  const lines = rows.map((row) => {
    const { call, alone, given } = own && row !== own ? ratios(row, own) : {}
    const times = [call, alone, given].map((ratio) => fixedText(ratio, 2, 10)).join('')
    const rates = fixedText(row.call, 1, 9) + fixedText(row.alone, 1, 10) + fixedText(row.gmacs, 1, 9)
    return `  ${row.name.padEnd(24)}${rates}${times}  ${row.difference.toFixed(4)}`
  })
  return [`${head}  us call  us alone   GMAC/s x by call  by alone  by given  difference`, ...lines].join('\n')
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

/** The range of each figure's ratios over the shapes, by each account. */
export function figuresText(rows: readonly ProductRow[]): string[] {
  return FIGURES.flatMap(({ ours, peer, from, to, atLeast }) => {
    const pairs = rows.flatMap((other) => {
      if (other.name !== peer || other.M < from || other.M > to) return []
      const own = rows.find((row) => row.name === ours && row.M === other.M && row.K === other.K && row.N === other.N)
      return own ? [ratios(other, own)] : []
    })
    if (pairs.length === 0) return []
    const range = to === 1 ? 'M = 1' : `M >= ${from}`
    const accounts = (['call', 'alone', 'given'] as const).map((key) => {
      const found = pairs.flatMap((pair) => pair[key] ?? []).sort((a, b) => a - b)
      const met = found.filter((ratio) => ratio >= atLeast).length
      return `\n  by ${key} ${fixedText(found[0], 2, 0)} to ${fixedText(found.at(-1), 2, 0)}, met at ${met} of ${found.length}`
    })
    return [`${ours}, ${range}, against ${peer}, ${atLeast} x asked:${accounts.join('')}`]
  })
}
