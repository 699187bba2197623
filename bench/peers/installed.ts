/** Where the peers are installed. They are loaded by name at run time: the project builds and checks without them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const MODULES = join(import.meta.dirname, 'node_modules')

/** The folder of a package. */
export function folderOf(name: string): string {
  return join(MODULES, name)
}

export function versionOf(name: string): string {
  return (JSON.parse(readFileSync(join(folderOf(name), 'package.json'), 'utf8')) as { version: string }).version
}

export function peersInstalled(): boolean {
  return existsSync(MODULES)
}
