/** All targets by name, which is that of their file: the argument of `npm run verify`. */
import { armv7 } from './armv7.ts'
import { browser } from './browser.ts'
import { iot } from './iot.ts'
import { nodeX64 } from './node-x64.ts'
import { pi4 } from './pi-4.ts'
import { pi5 } from './pi-5.ts'
import { piZero } from './pi-zero.ts'
import { piZero2w } from './pi-zero-2w.ts'
import { relaxed } from './relaxed.ts'
import { scalar } from './scalar.ts'
import { simd128 } from './simd128.ts'
import type { Device, Target } from './target.ts'

export const INSTRUCTION_SETS: Readonly<Record<string, Target>> = {
  scalar,
  simd128,
  relaxed,
}

export const DEVICES: Readonly<Record<string, Device>> = {
  browser,
  'node-x64': nodeX64,
  'pi-5': pi5,
  'pi-4': pi4,
  'pi-zero-2w': piZero2w,
  armv7,
  'pi-zero': piZero,
  iot,
}
