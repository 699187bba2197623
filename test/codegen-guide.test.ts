/** Follows codegen/README.md to the letter: its file and its row, built in memory, must give the exports and numbers it shows. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ISAS, roundUp } from '../src/abi.ts'
import { compile } from '../codegen/compile.ts'
import { emitKernels } from '../codegen/emit-kernels.ts'

const guide = readFileSync(join(import.meta.dirname, '../codegen/README.md'), 'utf8')

/** Contents of the fenced block with this information string. */
function block(info: string): string {
  const found = guide.split(`\n\`\`\`${info}\n`)[1]?.split('\n```')[0]
  assert.ok(found, `the guide must have a block ${info}`)
  return found
}

const source = block('ts file=assembly/kernels/negate.ts')
const row = block('ts row').replace(/[',\s]/g, '')
const names = block('text exports').split('\n')
const { x, y } = JSON.parse(block('json call')) as { x: number[]; y: number[] }

for (const [i, isa] of ISAS.entries()) {
  test(`the guide on ${isa}`, async () => {
    const { files, kernels } = emitKernels(isa, (name) => (name === 'negate' ? source : ''), [row], [])
    assert.equal(
      kernels.map(({ name }) => name),
      [names[i]],
    )
    const { wasm, heapBase } = await compile(isa, files)
    if (!WebAssembly.validate(wasm)) return
    const { instance } = await WebAssembly.instantiate(wasm, {})
    const { memory, [names[i]]: kernel } = instance.exports as { memory: WebAssembly.Memory } & WebAssembly.Exports
    if (memory.buffer.byteLength === 0) memory.grow(1)
    const xAt = roundUp(heapBase, 16)
    const yAt = roundUp(xAt + 4 * x.length, 16)
    new Float32Array(memory.buffer, xAt, x.length).set(x)
    ;(kernel as (...args: number[]) => void)(xAt, yAt, x.length)
    assert.equal(Array.from(new Float32Array(memory.buffer, yAt, x.length)), y)
  })
}

test.run()
