/**
 * Proof by Node: the one that runs this, or a version and architecture from npm, kept in build/verify. Foreign
 * architectures run in qemu-user with the libraries of Debian's cross compilers. Bits only: emulated times mean nothing.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { BUILD } from '../../codegen/bundles.ts'
import { errorText, message, requireThat } from '../../src/base/errors.ts'
import { DEFAULT_MODEL } from '../../src/index.ts'
import type { Proof } from '../../targets/target.ts'
import { judge, Unavailable, type Finding, type Report } from './way.ts'

const run = promisify(execFile)
const CACHE = join(BUILD, 'verify')
const CHILD = join(import.meta.dirname, 'node-child.js')
/** Emulation of the scalar module takes about a minute on a machine that is busy. */
const LIMIT_MS = 600_000

/** By architecture as npm's packages call it: what Node calls it, the emulator, its libraries and Debian's packages. */
const ARCHITECTURES: Record<string, { arch: string; qemu: string; root: string; packages: string }> = {
  x64: {
    arch: 'x64',
    qemu: 'qemu-x86_64-static',
    root: '/usr/x86_64-linux-gnu',
    packages: 'qemu-user-static libc6-amd64-cross libstdc++6-amd64-cross',
  },
  arm64: {
    arch: 'arm64',
    qemu: 'qemu-aarch64-static',
    root: '/usr/aarch64-linux-gnu',
    packages: 'qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross',
  },
  armv7l: {
    arch: 'arm',
    qemu: 'qemu-arm-static',
    root: '/usr/arm-linux-gnueabihf',
    packages: 'qemu-user-static libc6-armhf-cross libstdc++6-armhf-cross libatomic1-armhf-cross',
  },
}

export async function proveByNode({ node, cpu, isas }: Proof): Promise<Finding[]> {
  const { command, inside } = node === undefined ? { command: [], inside: '' } : await emulator(node, cpu)
  const binary = node === undefined ? process.execPath : await fetchNode(node)
  const [first, ...rest] = [...command, binary, CHILD, DEFAULT_MODEL, ...isas]
  const { stdout } = await run(first, rest, { timeout: LIMIT_MS })
  const report = JSON.parse(stdout) as Report
  return judge(report, `${report.engine} ${node?.split('@')[0] ?? process.arch}${inside}`)
}

/** What stands before the binary, nothing on a machine of its architecture; throws Unavailable where it is missing. */
async function emulator(node: string, cpu: string | undefined): Promise<{ command: string[]; inside: string }> {
  const wanted = ARCHITECTURES[node.split('@')[0]]
  requireThat(wanted !== undefined, node, `must begin with one of ${Object.keys(ARCHITECTURES).join(', ')}`)
  if (process.platform !== 'linux') throw new Unavailable(message(node, 'must run on Linux', process.platform))
  const { arch, qemu, root, packages } = wanted
  if (arch === process.arch) return { command: [], inside: '' }
  const version = await run(qemu, ['--version']).catch(() => undefined)
  if (!version || !existsSync(root)) throw new Unavailable(`needs the Debian packages ${packages}`)
  const number = /version ([\d.]+)/.exec(version.stdout)?.[1]
  return {
    command: [qemu, ...(cpu === undefined ? [] : ['-cpu', cpu]), '-L', root],
    inside: ` in qemu ${number}${cpu === undefined ? '' : `, ${cpu}`}`,
  }
}

/** Path of the binary of ARCHITECTURE@VERSION, fetched once; throws Unavailable where npm cannot. */
async function fetchNode(node: string): Promise<string> {
  const folder = join(CACHE, `node-linux-${node}`)
  const binary = join(folder, 'package/bin/node')
  if (existsSync(binary)) return binary
  mkdirSync(CACHE, { recursive: true })
  const aside = mkdtempSync(join(CACHE, 'fetch-'))
  try {
    const { stdout } = await run('npm', ['pack', '--silent', `node-linux-${node}`], { cwd: aside })
    await run('tar', ['-xzf', stdout.trim(), 'package/bin/node'], { cwd: aside })
    rmSync(join(aside, stdout.trim()))
    renameSync(aside, folder)
  } catch (error) {
    rmSync(aside, { recursive: true, force: true })
    throw new Unavailable(message(`node-linux-${node}`, 'must be had from npm', errorText(error)))
  }
  return binary
}
