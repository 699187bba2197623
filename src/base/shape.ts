/**
 * Shapes. A dimension is a number, or a monomial in run-time symbols (`B`, `17*B`, `B*T`): memory is planned for
 * the largest value of each symbol, row counts are evaluated at every run. One string form, so that plans are JSON.
 */
import { message, requireThat } from './errors.ts'

/** `12` or a product such as `17*B*T` (coefficient first if not 1, symbols sorted). */
export type Dim = number | string
export type Shape = readonly Dim[]
/** A value for each symbol. */
export type Symbols = Readonly<Record<string, number>>

interface Monomial {
  coefficient: number
  symbols: string[]
}

const parsed = new Map<string, Monomial>()

function parse(dim: Dim): Monomial {
  if (typeof dim === 'number') return { coefficient: dim, symbols: [] }
  let known = parsed.get(dim)
  if (!known) {
    known = { coefficient: 1, symbols: [] }
    for (const factor of dim.split('*')) {
      if (/^\d+$/.test(factor)) known.coefficient *= Number(factor)
      else known.symbols.push(factor)
    }
    parsed.set(dim, known)
  }
  return known
}

/** Product of dimensions, in the one string form. */
export function times(...dims: Dim[]): Dim {
  const all = dims.map(parse)
  const coefficient = all.reduce((product, m) => product * m.coefficient, 1)
  const symbols = all.flatMap((m) => m.symbols).sort()
  if (symbols.length === 0 || coefficient === 0) return coefficient
  return (coefficient === 1 ? symbols : [String(coefficient), ...symbols]).join('*')
}

/** The exact quotient of two dimensions; throws where `by` does not divide `dim`. */
export function divide(dim: Dim, by: Dim): Dim {
  const a = parse(dim)
  const b = parse(by)
  const left = [...a.symbols]
  for (const symbol of b.symbols) {
    const at = left.indexOf(symbol)
    requireThat(at >= 0, 'divide', `${by} must divide ${dim}`)
    left.splice(at, 1)
  }
  requireThat(a.coefficient % b.coefficient === 0, 'divide', `${by} must divide ${dim}`)
  return times(a.coefficient / b.coefficient, ...left)
}

/** The number that a dimension stands for. */
export function evaluate(dim: Dim, symbols: Symbols): number {
  if (typeof dim === 'number') return dim
  const m = parse(dim)
  let product = m.coefficient
  for (const symbol of m.symbols) {
    const value = symbols[symbol]
    // The text is made where it is needed: plans evaluate hundreds of dimensions at every start.
    if (value === undefined) throw new RangeError(message('evaluate', `symbol ${symbol} of ${dim} must have a value`))
    product *= value
  }
  return product
}

/** `evaluate` for one choice of symbols, which remembers what it has computed. */
export function evaluator(symbols: Symbols): (dim: Dim) => number {
  const known = new Map<string, number>()
  return (dim) => {
    if (typeof dim === 'number') return dim
    let value = known.get(dim)
    if (value === undefined) known.set(dim, (value = evaluate(dim, symbols)))
    return value
  }
}

/** The symbols that a dimension contains. */
export function symbolsIn(dim: Dim): readonly string[] {
  return parse(dim).symbols
}

/** Number of elements of a shape. */
export function size(shape: Shape, symbols: Symbols = {}): number {
  return evaluate(times(...shape), symbols)
}

/** Product of all dimensions but the last: the rows of a matrix of vectors. */
export function rows(shape: Shape): Dim {
  return times(...shape.slice(0, -1))
}

/** The last dimension, which must be a plain number. */
export function columns(shape: Shape): number {
  const last = shape[shape.length - 1]
  requireThat(typeof last === 'number', 'columns', 'the last dimension must be a number', last)
  return last
}

/** A dimension that must be a plain number. */
export function fixed(dim: Dim | undefined): number {
  requireThat(typeof dim === 'number', 'fixed', 'the dimension must be a number', dim)
  return dim
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i])
}
