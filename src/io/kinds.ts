/** Of which kind a value is that came out of JSON. */

export const isText = (value: unknown): value is string => typeof value === 'string'
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
export const isSize = (value: unknown): value is number => isCount(value) && value > 0
export const isNumber = (value: unknown): value is number => Number.isFinite(value)

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
