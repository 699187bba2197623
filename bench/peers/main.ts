/**
 * `npm run bench -- peers [--only products|encode|start] [--rows M,..] [--quick] [--check] [--target ISA] [--out FILE]`: our
 * kernels, the whole image encode and a cold start beside other runtimes, in one run and in turns. What is compared, and by which
 * rules, is in README.md of this folder; the peers are installed on demand.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Isa } from '../../src/abi.ts'
import { errorText, requireThat } from '../../src/base/errors.ts'
import { parseFlags } from '../flags.ts'
import { describe, machine } from '../machine.ts'
import { bitgen } from './bitgen.ts'
import { checkEncoders, checkProducts, checkTranslation } from './check.ts'
import { encoders, encodersText, timeEncoders, type EncodeRow } from './encode.ts'
import { ggml } from './ggml.ts'
import { peersInstalled } from './installed.ts'
import { onnxRuntime, type OnnxRuntime } from './onnxruntime.ts'
import { makeProduct, type Engine, type Sizes } from './product.ts'
import {
  agreeing,
  figuresText,
  ROWS,
  shapes,
  shapeText,
  timeProduct,
  type LeftOut,
  type ProductRow,
} from './products.ts'
import type { RoundsEffort } from './rounds.ts'
import { compareStarts, startsText, type StartRow } from './start.ts'
import { tensorflow } from './tensorflow.ts'

const FULL: RoundsEffort = { warmMs: 20, sampleMs: 4, rounds: 11 }
const QUICK: RoundsEffort = { warmMs: 10, sampleMs: 2, rounds: 3 }
/** Products to start with, which are not told: engines compile hot code in the background, once for all shapes. */
const WARM: Sizes[] = [
  [1, 384, 1536],
  [64, 384, 1536],
]
const WARMING: RoundsEffort = { warmMs: 200, sampleMs: 1, rounds: 1 }
/** A whole encode takes tens of milliseconds. */
const FULL_ENCODE: RoundsEffort = { warmMs: 1500, sampleMs: 0, rounds: 31 }
const QUICK_ENCODE: RoundsEffort = { warmMs: 200, sampleMs: 0, rounds: 3 }

const RULES = `Rules: one thread on every side; the same weights, gamma times -1, 0 or 1; results compared before anything is timed.
Every contender is warmed up, then they take turns, the order moving on by one each round; the median of the rounds counts.
call: f32 input handed over, product, f32 output read. alone: own kernels without that, with activations quantised;
of peers the call less a call that computes nothing. given: own kernels on activations quantised before.
int8 peers quantise activations inside. Ratios: time of the peer over ours; difference: largest, over the rms of y.`

/** Loads an engine, or says why it is left out. */
async function load<T extends Engine>(name: string, make: () => Promise<T>): Promise<T[]> {
  try {
    const engine = await make()
    console.log(`  ${engine.name}: ${engine.about}`)
    return [engine]
  } catch (error) {
    console.log(`  ${name}: left out. ${errorText(error)}`)
    return []
  }
}

export async function benchPeers(args: string[]): Promise<void> {
  const flags = parseFlags('peers', args, ['only', 'rows', 'quick', 'check', 'target', 'out'])
  const { only, rows: chosen = ROWS, quick, check, target, out } = flags
  requireThat(peersInstalled(), 'bench peers', 'the peers must be installed first, by: npm ci --prefix bench/peers')
  const on = machine()
  console.log(`${describe(on)}\n${RULES}`)
  const isas: Isa[] = target === undefined ? ['relaxed', 'simd128'] : [target]
  const own: Engine[] = []
  for (const isa of isas) own.push(...(await load(`bitgen ${isa}`, () => bitgen(isa))))
  requireThat(own.length > 0, 'bench peers', 'one of our own modules must work here')
  const onnx: OnnxRuntime[] = []
  for (const kind of ['Web', 'Node'] as const)
    onnx.push(...(await load(`ONNX Runtime ${kind}`, () => onnxRuntime(kind))))
  const leftOut: LeftOut[] = []
  const others =
    only && only !== 'products' ? [] : [...(await load('TensorFlow.js', tensorflow)), ...(await load('ggml', ggml))]
  const engines = [...own, ...onnx, ...others]
  const rows: (ProductRow | EncodeRow | StartRow)[] = []

  if (!only || only === 'products') {
    if (check) await checkProducts(engines, leftOut)
    else rows.push(...(await compareProducts(engines, chosen, quick ? QUICK : FULL, leftOut)))
  }
  if (!only || only === 'encode') {
    const found = await encoders(isas, onnx, leftOut)
    if (check) {
      checkEncoders(found)
      await checkTranslation(onnx, leftOut)
    } else {
      const timed = await timeEncoders(found, quick ? QUICK_ENCODE : FULL_ENCODE)
      console.log(encodersText(timed))
      rows.push(...timed)
    }
  }
  if (!check && (!only || only === 'start')) {
    const starts = await compareStarts(isas, onnx, quick)
    console.log(startsText(starts))
    rows.push(...starts)
  }
  for (const line of leftOutText(leftOut)) console.log(line)
  // What computes something else is no peer.
  if (leftOut.some(({ differs }) => differs)) process.exitCode = 1
  if (out === undefined) return
  mkdirSync(dirname(out), { recursive: true })
  const versions = Object.fromEntries(engines.map(({ name, about }) => [name, about]))
  const short = (_key: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value)
  writeFileSync(out, `${JSON.stringify({ machine: on, versions, rows, leftOut }, short, 1)}\n`)
}

/** All shapes, each printed as soon as it is timed. */
async function compareProducts(
  engines: readonly Engine[],
  chosen: readonly number[],
  effort: RoundsEffort,
  leftOut: LeftOut[],
): Promise<ProductRow[]> {
  const rows: ProductRow[] = []
  for (const sizes of WARM) await timeProduct(sizes, await agreeing(engines, makeProduct(sizes), []), WARMING)
  for (const sizes of shapes(chosen)) {
    const found = await agreeing(engines, makeProduct(sizes), leftOut)
    const timed = await timeProduct(sizes, found, effort)
    console.log(shapeText(timed, engines[0].name))
    rows.push(...timed)
  }
  for (const line of figuresText(rows)) console.log(line)
  return rows
}

/** A line for every reason. */
function leftOutText(leftOut: readonly LeftOut[]): string[] {
  const reasons = new Map<string, string[]>()
  for (const { at, name, reason, differs } of leftOut) {
    const text = `${differs ? 'FAIL' : 'left out'} ${name}: ${reason}`
    reasons.set(text, [...(reasons.get(text) ?? []), at])
  }
  return Array.from(reasons, ([text, at]) => `${text} (${at.join(', ')})`)
}
