/**
 * A standalone module as a native program: wasm2c to C, then a C compiler, with one of the C programs of this folder.
 * For boards without a JavaScript engine. One number at a time, as the scalar kernels are written.
 */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { errorText, message } from '../../src/base/errors.ts'

const exec = promisify(execFile)

/** Where the Debian package of wasm2c has its C runtime. */
const RUNTIME = '/usr/share/wabt/wasm2c'

export interface Toolchain {
  compiler: string
  flags: readonly string[]
  /** Debian packages of wasm2c, compiler and C library: what an error names. */
  packages: readonly string[]
}

/** Raspberry Pi Zero and Zero W. Debian's libc for hard floats needs ARMv7, so calls pass floats in integer registers. */
export const PI_ZERO: Toolchain = {
  compiler: 'arm-linux-gnueabi-gcc',
  flags: ['-march=armv6', '-mfpu=vfp', '-mfloat-abi=softfp', '-marm', '-static'],
  packages: ['wabt', 'gcc-arm-linux-gnueabi', 'libc6-dev-armel-cross'],
}

/**
 * Builds `program` (`selftest` or `similar`) with a scalar module in `folder`; returns the path of the binary. Throws
 * what runTool throws.
 */
export async function buildNative(
  wasm: Uint8Array,
  program: 'selftest' | 'similar',
  folder: string,
  { compiler, flags, packages }: Toolchain,
): Promise<string> {
  mkdirSync(folder, { recursive: true })
  for (const file of ['host.h', `${program}.c`]) copyFileSync(join(import.meta.dirname, file), join(folder, file))
  writeFileSync(join(folder, 'bitgen.wasm'), wasm)
  await runTool('wasm2c', ['bitgen.wasm', '--module-name', 'bitgen', '-o', 'bitgen.c'], folder, packages)
  const sources = [`${program}.c`, 'bitgen.c', join(RUNTIME, 'wasm-rt-impl.c')]
  // No fused multiply-add: kernels round after each operation.
  const options = ['-O2', '-ffp-contract=off', `-I${RUNTIME}`, ...flags]
  await runTool(compiler, [...options, ...sources, '-lm', '-o', program], folder, packages)
  return join(folder, program)
}

/** A program of the system that is not there; the message names the packages that bring it. */
export class MissingTool extends Error {}

/** Runs a tool in a folder; returns its standard output. Throws a MissingTool, or an Error with what the tool said. */
export async function runTool(
  tool: string,
  args: readonly string[],
  cwd: string,
  packages: readonly string[],
): Promise<Buffer> {
  try {
    const { stdout } = await exec(tool, args, { cwd, encoding: 'buffer', maxBuffer: 1 << 26 })
    return stdout
  } catch (error) {
    const install = `must be installed; on Debian: apt-get install ${packages.join(' ')}`
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new MissingTool(message(tool, install))
    throw new Error(message(tool, 'must succeed', errorText(error)), { cause: error })
  }
}
