/**
 * Elementary functions in double precision, the same bits on every engine (their Math.exp, log, sin, ... differ).
 * For the numeric path of the host: schedules, random draws, references. Kernels have their own in assembly/lib.
 */

const LN2_HIGH = 6.9314718036912381649e-1
const LN2_LOW = 1.90821492927058770002e-10

/** 2^n for whole n in [-1074, 1023]. */
function powerOfTwo(n: number): number {
  let result = 1
  const factor = n < 0 ? 0.5 : 2
  for (let i = Math.abs(n); i > 0; i--) result *= factor
  return result
}

/** e^x, relative error < 4e-16: reduction to |r| <= ln2/2, Taylor series to r^17. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return NaN
  if (x > 709.78) return Infinity
  if (x < -745.2) return 0
  const n = Math.round(x / Math.LN2)
  const r = x - n * LN2_HIGH - n * LN2_LOW
  let sum = 1
  for (let k = 17; k >= 1; k--) sum = 1 + (r / k) * sum
  // Two factors: 2^n alone leaves the normal range near the ends.
  const half = Math.trunc(n / 2)
  return sum * powerOfTwo(half) * powerOfTwo(n - half)
}

/** Natural logarithm, relative error < 1e-15: x = m * 2^n with m near 1, then the series of 2 artanh((m-1)/(m+1)). */
export function log(x: number): number {
  if (Number.isNaN(x) || x < 0) return NaN
  if (x === 0) return -Infinity
  if (x === Infinity) return Infinity
  let n = 0
  while (x > Math.SQRT2) ((x /= 2), n++)
  while (x < Math.SQRT1_2) ((x *= 2), n--)
  const s = (x - 1) / (x + 1)
  const z = s * s
  let sum = 0
  for (let k = 27; k >= 1; k -= 2) sum = 1 / k + z * sum
  return n * LN2_HIGH + (2 * s * sum + n * LN2_LOW)
}

/** cos of the reduced argument when `quarter` is 0, -sin when 1, and so on: cos(x + quarter*pi/2). */
function cosine(x: number, quarter: number): number {
  const n = Math.round(x / (Math.PI / 2))
  // pi/2 in two parts: the first has 33 bits, so that n * first is exact for |n| < 2^20.
  const r = x - n * 1.57079632673412561417 - n * 6.07710050650619224932e-11
  const phase = (((n + quarter) % 4) + 4) % 4
  const z = r * r
  let even = 0
  let odd = 0
  for (let k = 18; k >= 2; k -= 2) {
    even = (1 + even) * (-z / (k * (k - 1)))
    odd = (1 + odd) * (-z / (k * (k + 1)))
  }
  const c = 1 + even
  const s = r * (1 + odd)
  return [c, -s, -c, s][phase]
}

/** cos x, absolute error < 1e-15 for |x| < 1e6. */
export function cos(x: number): number {
  return cosine(x, 0)
}

/** sin x, absolute error < 1e-15 for |x| < 1e6. */
export function sin(x: number): number {
  return cosine(x, 3)
}

/** tanh x, absolute error < 1e-15. */
export function tanh(x: number): number {
  if (Math.abs(x) < 1e-3) return x - (x * x * x) / 3 + (2 * x ** 5) / 15
  const e = exp(-2 * Math.abs(x))
  return (Math.sign(x) * (1 - e)) / (1 + e)
}

/** erf x, absolute error < 1e-15: Taylor series (Abramowitz & Stegun 7.1.6) below 3, continued fraction (7.1.14) above. */
export function erf(x: number): number {
  const z = Math.abs(x)
  if (z > 6) return Math.sign(x)
  if (z < 3) {
    let term = z
    let sum = z
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (2 * z * z) / (2 * n + 1)
      sum += term
    }
    return (Math.sign(x) * 2 * sum * exp(-z * z)) / Math.sqrt(Math.PI)
  }
  let fraction = z
  for (let k = 60; k >= 1; k--) fraction = z + k / 2 / fraction
  return Math.sign(x) * (1 - exp(-z * z) / fraction / Math.sqrt(Math.PI))
}

/** The nearest whole number, ties to even, for |x| < 2^51: doubles above 2^52 are whole, so adding rounds. */
export function roundEven(x: number): number {
  return x + 1.5 * 2 ** 52 - 1.5 * 2 ** 52
}

/** x^n for whole n >= 0, by repeated squaring. */
export function powInt(x: number, n: number): number {
  let result = 1
  for (let base = x; n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) result *= base
    base *= base
  }
  return result
}
