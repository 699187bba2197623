/**
 * `npm run standalone -- [--model FILE] [--target T] [--batch N] --out X.wasm`: writes a model as one module without
 * imports, and prints what it exports. See README.md beside it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { ISAS, type Isa } from '../../src/abi.ts'
import { errorText, message, requireThat } from '../../src/base/errors.ts'
import type { EmittedPlan } from '../emit-plan.ts'
import { buildStandalone } from './build.ts'

const SHIPPED = join(import.meta.dirname, '../../models/emoji-nano/model.safetensors')

interface Settings {
  model: string
  isa: Isa
  batch: number
  out: string
}

/** Throws a RangeError that names the option whose value is wrong. */
function settings(args: string[]): Settings {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args, options: { model: text, target: text, batch: text, out: text } })
  const { model = SHIPPED, target = 'relaxed', batch = '1', out } = values
  const isTarget = (ISAS as readonly string[]).includes(target)
  requireThat(isTarget, 'standalone', `--target must be one of ${ISAS.join(', ')}`, target)
  requireThat(/^[1-9]\d{0,5}$/.test(batch), 'standalone', '--batch must be a whole number from 1', batch)
  requireThat(!!out, 'standalone', '--out must name the file to write', out)
  return { model, isa: target as Isa, batch: Number(batch), out }
}

function describe({ name, parameters, ports }: EmittedPlan): string[] {
  const symbols = parameters.map(({ name, max }) => `${name}: 1 to ${max}`)
  return [
    `${name}(${symbols.join(', ')})`,
    ...ports.map(({ address, buffer }) => `  ${address}  ${buffer.dtype} [${buffer.shape}], ${buffer.bytes} bytes`),
  ]
}

async function main(args: string[]): Promise<void> {
  const { model, isa, batch, out } = settings(args)
  let bytes: Uint8Array
  try {
    bytes = readFileSync(model)
  } catch (error) {
    throw new Error(message(model, 'must be a readable file', errorText(error)))
  }
  const { wasm, plans, memoryUse } = await buildStandalone(bytes, { isa, batch })
  writeFileSync(out, wasm)
  for (const line of plans.flatMap(describe)) console.log(line)
  console.log(`memory: ${memoryUse.total} bytes, ${memoryUse.weights} of weights, ${memoryUse.arena} shared by plans`)
  console.log(`${out}: ${isa}, ${wasm.length} bytes, ${gzipSync(wasm, { level: 9 }).length} gzip`)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(errorText(error))
  process.exitCode = 1
}
