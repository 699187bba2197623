/**
 * Installs the packages that hold artwork and names, at the versions locked beside this file, into a folder of the
 * corpus. Users of the library never download them; no script of a package is run.
 */
import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorText, message } from '../../base/errors.ts'

const LOCKED = fileURLToPath(new URL('./sources/', import.meta.url))

/** Package -> exact version, as locked. */
export function lockedVersions(): Record<string, string> {
  const { dependencies } = JSON.parse(readFileSync(join(LOCKED, 'package.json'), 'utf8'))
  return dependencies as Record<string, string>
}

/**
 * Installs into `folder` unless this very lock is installed there, and returns its node_modules.
 * Throws an Error with npm's own words where npm is missing or fails.
 */
export async function installSources(folder: string): Promise<string> {
  const modules = join(folder, 'node_modules')
  const lock = readFileSync(join(LOCKED, 'package-lock.json'), 'utf8')
  const done = join(folder, 'installed-lock.json')
  if (existsSync(modules) && existsSync(done) && readFileSync(done, 'utf8') === lock) return modules
  mkdirSync(folder, { recursive: true })
  // An install that is stopped half way does not pass for the one before it.
  rmSync(done, { force: true })
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(LOCKED, file), join(folder, file))
  await runNpm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], folder)
  writeFileSync(done, lock)
  return modules
}

function runNpm(args: string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // npm is a .cmd file on Windows, which only a shell starts; all arguments are constants.
    const npm = spawn('npm', args, {
      cwd,
      shell: process.platform === 'win32',
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let words = ''
    npm.stderr.on('data', (chunk) => (words += chunk))
    npm.on('error', (error) => reject(failure(errorText(error))))
    npm.on('close', (code) => (code === 0 ? resolve() : reject(failure(words.trim().slice(-600)))))
  })
}

function failure(reason: string): Error {
  return new Error(message('emoji', `npm ci must install the sources of the corpus: ${reason}`))
}
