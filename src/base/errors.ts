/**
 * The one form of every error message: `where: what must hold, got what`.
 * TypeError for a wrong kind, RangeError for a wrong value, Error for the world outside (files, engines).
 */

/** Throws a RangeError `where: must` unless `ok`. */
export function requireThat(ok: boolean, where: string, must: string, got?: unknown): asserts ok {
  if (!ok) throw new RangeError(message(where, must, got))
}

/** Throws a TypeError `where: must` unless `ok`. */
export function requireKind(ok: boolean, where: string, must: string, got?: unknown): asserts ok {
  if (!ok) throw new TypeError(message(where, must, got))
}

/** What must hold and does not, with what was seen. */
export type Fault = [must: string, got?: unknown] | undefined

/** Throws a RangeError for a fault. For checks of thousands of parts: no text is made of those that are in order. */
export function refuse(fault: Fault, where: () => string): void {
  if (fault) throw new RangeError(message(where(), ...fault))
}

/** The text of an error: `where: must`, followed by what was seen, shortened. */
export function message(where: string, must: string, got?: unknown): string {
  return got === undefined ? `${where}: ${must}` : `${where}: ${must}, got ${show(got)}`
}

/** A value as it appears in a message: JSON where that works, at most 120 characters. */
export function show(value: unknown): string {
  const text = typeof value === 'string' ? `"${value}"` : (JSON.stringify(value) ?? String(value))
  return text.length > 120 ? `${text.slice(0, 117)}...` : text
}

/** What `action` gives; what it throws becomes an Error `where: must`, followed by its own message. */
export function attempt<T>(where: string, must: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw new Error(`${where}: ${must}, got ${errorText(error)}`, { cause: error })
  }
}

/** The message of anything that was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
