/** The browser of tests with a page: Chromium or Chrome on PATH, or at the path in the variable CHROME. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Nothing but the page: no sandbox, which containers lack, and no traffic of the browser's own. */
export const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-component-update',
  '--disable-background-networking',
]

/** Undefined, said on the console, where there is none. */
export function findBrowser(): string | undefined {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  const folders = (process.env.PATH ?? '').split(delimiter)
  const candidates = [process.env.CHROME ?? '', ...names.flatMap((name) => folders.map((folder) => join(folder, name)))]
  const found = candidates.find((path) => path !== '' && existsSync(path))
  if (!found) console.log('skipped: no chromium, chromium-browser or google-chrome on PATH, and no CHROME')
  return found
}
