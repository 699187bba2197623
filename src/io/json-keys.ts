/**
 * JSON.parse keeps the last of two equal keys, so that two readers may see two files in one: headers must not have any.
 * Where writing the value again gives the text, as with all files of our own, it has none, and the engine has done the
 * work. Otherwise one pass over the text; long strings are stepped over by the engine's own search.
 */
import { requireThat } from '../base/errors.ts'

const [OPEN, CLOSE, QUOTE, BACKSLASH] = Array.from('{}"\\', (character) => character.charCodeAt(0))

function isEscaped(text: string, at: number): boolean {
  let before = at
  while (text.charCodeAt(before - 1) === BACKSLASH) before--
  return (at - before) % 2 === 1
}

/** Throws a RangeError where an object of `text`, the JSON of `value`, has a key twice: a string before a colon. */
export function requireUniqueKeys(text: string, value: unknown): void {
  if (JSON.stringify(value) === text.trimEnd()) return
  const open: Set<string>[] = []
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === OPEN) open.push(new Set())
    else if (code === CLOSE) open.pop()
    else if (code === QUOTE) {
      const start = i
      // From quote to quote, since metadata can be long: one behind an odd number of backslashes is part of the string.
      do i = text.indexOf('"', i + 1)
      while (isEscaped(text, i))
      let after = i + 1
      while (' \t\r\n'.includes(text.charAt(after) || '.')) after++
      if (text[after] !== ':') continue
      const key: string = JSON.parse(text.slice(start, i + 1))
      const seen = open.at(-1)!
      requireThat(!seen.has(key), 'safetensors', 'a header must not have a key twice', key)
      seen.add(key)
    }
  }
}
