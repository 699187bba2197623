/**
 * What the bench against other runtimes makes, without them: Protocol Buffers against the examples of their
 * specification, and a translated tower read back by a decoder of its own. What peers compute from it is checked by
 * `npm run bench -- peers --check`, where they are installed.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseFlags } from '../bench/flags.ts'
import { checkTranslation } from '../bench/peers/check.ts'
import { encoders, randomValues } from '../bench/peers/encode.ts'
import type { OnnxRuntime } from '../bench/peers/onnxruntime.ts'
import type { LeftOut } from '../bench/peers/products.ts'
import { bytes, float, integer, join, text } from '../bench/peers/protobuf.ts'
import { translate } from '../bench/peers/translate.ts'
import { Builder } from '../src/graph/builder.ts'
import { encodeImageGraph } from '../src/model/bitgen.ts'
import { modelConfig } from '../src/model/config.ts'
import { relu } from '../src/ops/relu.ts'
import { builtKernels } from './support/kernels.ts'

const hex = (message: Uint8Array) => Buffer.from(message).toString('hex')

test('messages are those of the examples at protobuf.dev', () => {
  assert.is(hex(integer(1, 150)), '089601')
  assert.is(hex(integer(1, -2)), '08feffffffffffffffff01')
  assert.is(hex(text(2, 'testing')), '120774657374696e67')
  assert.is(hex(bytes(3, integer(1, 150))), '1a03089601')
  assert.is(hex(join(text(4, 'hello'), integer(6, 1), integer(6, 2))), '220568656c6c6f30013002')
})

test('a float has four bytes, the lowest first', () => assert.is(hex(float(2, 1)), '150000803f'))

/** Values of each field of a message, in order; numbers, and the bytes of everything else. */
type Message = Map<number, (number | Buffer)[]>

function decode(message: Buffer): Message {
  const fields: Message = new Map()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]
      value += (byte % 128) * scale
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const key = varint()
    const wire = key % 8
    assert.ok([0, 2, 5].includes(wire), `wire type ${wire}`)
    const length = wire === 0 ? 0 : wire === 2 ? varint() : 4
    const value = wire === 0 ? varint() : message.subarray(at, at + length)
    at += length
    fields.set((key - wire) / 8, [...(fields.get((key - wire) / 8) ?? []), value])
  }
  assert.is(at, message.length, 'the last field must end with the message')
  return fields
}

const messages = (of: Message, field: number) => (of.get(field) ?? []).map((value) => decode(value as Buffer))
const strings = (of: Message, field: number) => (of.get(field) ?? []).map(String)

const TOWER = modelConfig('tiny', {
  channels: 32,
  ffn: 48,
  image: 28,
  vision: { hidden: 32, depth: 1, storedImage: 42 },
})

function translated(linear: 'f32' | 'int8') {
  const graph = encodeImageGraph(TOWER)
  const options = { symbols: { B: 1 }, values: randomValues(graph), linear, output: 'image_features' }
  const model = decode(Buffer.from(translate(graph, options).bytes()))
  const [onnx] = messages(model, 7)
  return { model, nodes: messages(onnx, 1), tensors: messages(onnx, 5), inputs: messages(onnx, 11), onnx }
}

/** Bytes of an element, by TensorProto.DataType. */
const WIDTH: Record<number, number> = { 1: 4, 2: 1, 3: 1, 6: 4, 7: 8 }

for (const linear of ['f32', 'int8'] as const) {
  test(`a translated tower is a graph without gaps: ${linear}`, () => {
    const { model, nodes, tensors, inputs, onnx } = translated(linear)
    assert.ok(messages(model, 8).some((set) => strings(set, 1)[0] === '' && set.get(2)?.[0] === 21))
    const known = new Set([
      ...inputs.map((input) => strings(input, 1)[0]),
      ...tensors.flatMap((one) => strings(one, 8)),
    ])
    for (const node of nodes) {
      for (const name of strings(node, 1)) assert.ok(known.has(name), `${strings(node, 4)} takes ${name}`)
      for (const name of strings(node, 2)) {
        assert.not(known.has(name), `${name} must be computed once`)
        known.add(name)
      }
    }
    assert.equal(
      messages(onnx, 12).flatMap((output) => strings(output, 1)),
      ['image_features'],
    )
    assert.ok(known.has('image_features'))
    for (const tensor of tensors) {
      const count = ((tensor.get(1) ?? []) as number[]).reduce((product, dim) => product * dim, 1)
      assert.is((tensor.get(9)![0] as Buffer).length, count * WIDTH[tensor.get(2)![0] as number])
    }
  })
}

/** How often each operator occurs. */
function operators(nodes: readonly Message[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const [op] of nodes.map((node) => strings(node, 4))) counts[op] = (counts[op] ?? 0) + 1
  return counts
}

test('every linear is a product, and inputs that several share are quantised once', () => {
  // One block of the tower and two of fusion with 6 linears each, patches, projection of the tower and of the features.
  const linears = 3 * 6 + 3
  assert.is(operators(translated('f32').nodes).MatMul, linears)
  const int8 = operators(translated('int8').nodes)
  assert.is(int8.MatMulInteger, linears)
  assert.is(int8.MatMul, undefined)
  assert.is(int8.DynamicQuantizeLinear, linears - 3 * 2)
})

test('weights of ternary linears have three values, gamma apart', () => {
  const matrices = translated('f32').tensors.flatMap((tensor) => {
    if (tensor.get(1)?.length !== 2) return []
    const raw = tensor.get(9)![0] as Buffer
    return [new Float32Array(Uint8Array.from(raw).buffer)]
  })
  const ternary = matrices.filter((matrix) => new Set(matrix).size === 3)
  assert.is(ternary.length, 3 * 6)
  for (const matrix of ternary) {
    const gamma = Math.max(...matrix)
    assert.equal(new Set(matrix.map(Math.abs)), new Set([0, gamma]))
  }
})

test('a peer that gives no numbers fails the check of the translation', async () => {
  // 4 patches and the class token of 32 channels each; one feature.
  const nothing = (length: number) => ({ data: new Float32Array(length).fill(NaN) })
  const outputs = { vision_tokens: nothing(160), image_states: nothing(160), image_features: nothing(32) }
  const peer = { name: 'broken', open: async () => async () => outputs } as unknown as OnnxRuntime
  const leftOut: LeftOut[] = []
  await checkTranslation([peer], leftOut)
  assert.equal(
    leftOut.map(({ name, differs }) => [name, differs]),
    Array(3).fill(['broken', true]),
  )
})

test('flags are those of all benches; a value that does not fit is named', () => {
  const parse = (...args: string[]) => parseFlags('peers', args, ['only', 'rows', 'check'])
  const { only, rows, check } = parse('--only', 'encode', '--rows', '1,16', '--check')
  assert.equal({ only, rows, check }, { only: 'encode', rows: [1, 16], check: true })
  assert.throws(() => parse('--only', 'all'), /^bench peers: --only: must be one of products, encode, start, got "all"/)
  assert.throws(() => parse('--rows', '1,x'), /^bench peers: --rows: must be whole numbers from 1, as 1,16, got "1,x"/)
  assert.throws(() => parse('--json'), /^bench peers: takes --only, --rows, --check, got /)
})

test('an op without a translation is named', () => {
  const b = new Builder('none')
  b.output('y', relu(b, b.input('x', [2, 3])))
  const options = { symbols: {}, values: new Map(), linear: 'f32', output: 'y' } as const
  assert.throws(() => translate(b.graph, options), /^translate: op must be one of .*, got "relu"$/)
})

test('our own side of the encode runs on every instruction set, and comes to the same', async () => {
  const usable = (await builtKernels()).map(({ manifest }) => manifest.isa)
  const leftOut: LeftOut[] = []
  const found = await encoders(usable, [], leftOut)
  assert.equal(leftOut, [])
  for (const isa of usable) assert.ok(found.some(({ name }) => name === `bitgen ${isa}`))
  for (const { name, cosine } of found) assert.ok(cosine > 0.9999, `${name}: ${cosine}`)
})

test.run()
