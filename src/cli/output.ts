/** Files that a command writes where it was told to. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Makes the folder too. */
export function writeOutput(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
