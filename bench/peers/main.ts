/**
 * `npm run bench -- peers [--only products|encode] [--rows M,..] [--quick] [--check] [--target ISA] [--json FILE]`: our
 * kernels and the whole image encode beside other runtimes, in one run and in turns. What is compared, and by which
 * rules, is in README.md of this folder; the peers are installed on demand.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { ISAS, type Isa } from '../../src/abi.ts'
import { errorText, requireThat } from '../../src/base/errors.ts'
import { describe, machine } from '../machine.ts'
import { bitgen } from './bitgen.ts'
import { compareEncoders, encodersText, type EncodeRow } from './encode.ts'
import { ggml } from './ggml.ts'
import { requirePeers } from './installed.ts'
import { onnxRuntime, type OnnxRuntime } from './onnxruntime.ts'
import type { Engine } from './product.ts'
import { compareProduct, figuresText, ROWS, shapes, shapeText, type LeftOut, type ProductRow } from './products.ts'
import type { RoundsEffort } from './rounds.ts'
import { tensorflow } from './tensorflow.ts'

const FULL: RoundsEffort = { warmMs: 60, sampleMs: 6, rounds: 9 }
const QUICK: RoundsEffort = { warmMs: 10, sampleMs: 2, rounds: 3 }
/** A whole encode takes tens of milliseconds. */
const ENCODE = { FULL: { warmMs: 1500, sampleMs: 0, rounds: 31 }, QUICK: { warmMs: 200, sampleMs: 0, rounds: 3 } }

const RULES = `Rules: one thread on every side; the same weights, gamma times a code of -1, 0 or 1; results compared before timing.
Every contender is warmed up, then they take turns, the order moving on by one each round; the median of the rounds counts.
call: f32 input handed over, product, f32 output read. alone: own kernels without that, with activations quantised;
of peers the call less a call that computes nothing. given: own kernels on activations quantised before.
int8 peers quantise activations inside. Ratios: time of the peer over ours; difference: largest, over the rms of y.`

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  check: { type: 'boolean', default: false },
  only: { type: 'string' },
  rows: { type: 'string' },
  target: { type: 'string' },
  json: { type: 'string' },
} as const

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
  const { values } = parseArgs({ args, options: OPTIONS })
  const { only, target, quick, check, json } = values
  const known = only === undefined || only === 'products' || only === 'encode'
  requireThat(known, '--only', 'must be products or encode', only)
  requireThat(target === undefined || ISAS.includes(target as Isa), '--target', `must be one of ${ISAS}`, target)
  const chosen = values.rows?.split(',').map(Number) ?? ROWS
  requireThat(
    chosen.every((M) => Number.isInteger(M) && M > 0),
    '--rows',
    'must be numbers of rows',
    values.rows,
  )
  requirePeers()

  const on = machine()
  console.log(`${describe(on)}\n${RULES}`)
  const isas: Isa[] = target === undefined ? ['relaxed', 'simd128'] : [target as Isa]
  const own = (await Promise.all(isas.map((isa) => load(`bitgen ${isa}`, () => bitgen(isa))))).flat()
  const onnx: OnnxRuntime[] = []
  for (const kind of ['Web', 'Node'] as const)
    onnx.push(...(await load(`ONNX Runtime ${kind}`, () => onnxRuntime(kind))))
  const rows: (ProductRow | EncodeRow)[] = []
  const leftOut: LeftOut[] = []
  const effort = (full: RoundsEffort, short: RoundsEffort) => (check ? undefined : quick ? short : full)

  if (only !== 'encode') {
    const others = [...(await load('TensorFlow.js wasm', tensorflow)), ...(await load('ggml', ggml))]
    const products: ProductRow[] = []
    for (const sizes of shapes(chosen)) {
      const found = await compareProduct([...own, ...onnx, ...others], sizes, effort(FULL, QUICK), leftOut)
      console.log(shapeText(found, own[0].name))
      products.push(...found)
    }
    for (const line of figuresText(products)) console.log(line)
    rows.push(...products)
  }
  if (only !== 'products') {
    const encoders = await compareEncoders(isas, onnx, effort(ENCODE.FULL, ENCODE.QUICK), leftOut)
    console.log(encodersText(encoders))
    rows.push(...encoders)
  }
  for (const { shape, name, reason } of leftOut) console.log(`left out at ${shape.join(' x ')}, ${name}: ${reason}`)
  if (json === undefined) return
  mkdirSync(dirname(json), { recursive: true })
  writeFileSync(json, `${JSON.stringify({ machine: on, rows, leftOut }, null, 1)}\n`)
}
