/** Half-to-even rounding of host-side storage formats; kernels have their own instruction for it. */

/** The nearest whole number, ties to even, for |x| < 2^51: doubles above 2^52 are whole, so adding rounds. */
export function roundEven(x: number): number {
  return x + 1.5 * 2 ** 52 - 1.5 * 2 ** 52
}
