/** Where a browser is: the path in an environment variable, else the first of some names on PATH; undefined if nowhere. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const find = (variable: string, names: readonly string[]): string | undefined => {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const onPath = names.flatMap((name) => folders.map((folder) => join(folder, name)))
  return [process.env[variable] ?? '', ...onPath].find((path) => path !== '' && existsSync(path))
}

export const findChromium = () =>
  find('CHROME', ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'])

export const findFirefox = () => find('FIREFOX', ['firefox-esr', 'firefox'])
