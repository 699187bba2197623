/** JSON that stands in files: parsed with an error that says where, and of which kind its values are. */
import { errorText, message } from '../base/errors.ts'

/** The value of a text, or of its bytes in UTF-8; throws a RangeError `where: must` where it is no JSON. */
export function parseJson(where: string, must: string, text: string | Uint8Array): unknown {
  try {
    return JSON.parse(typeof text === 'string' ? text : new TextDecoder('utf-8', { fatal: true }).decode(text))
  } catch (error) {
    throw new RangeError(message(where, must, errorText(error)))
  }
}

export const isText = (value: unknown): value is string => typeof value === 'string'
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
export const isSize = (value: unknown): value is number => isCount(value) && value > 0
export const isNumber = (value: unknown): value is number => Number.isFinite(value)

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
