/**
 * The container: round trips, the bytes it promises, every way of being invalid by name, and damage drawn at random.
 * BITGEN_MUTATIONS sets how many damaged files (`npm run torture` asks for a million).
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { errorText } from '../src/base/errors.ts'
import {
  FORMAT,
  readSafetensors,
  sealSafetensors,
  tensorOf,
  writeSafetensors,
  type Tensor,
} from '../src/io/safetensors.ts'
import { uniform } from './support/op-case.ts'

const MUTATIONS = Number(process.env.BITGEN_MUTATIONS ?? 20_000)

const SAMPLE = new Map<string, Tensor>([
  ['w', { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, NaN, -Infinity) }],
  ['codes', { dtype: 'I8', shape: [5], data: Int8Array.of(-128, -1, 0, 1, 127) }],
  ['flag', { dtype: 'BOOL', shape: [], data: Uint8Array.of(1) }],
  ['step', { dtype: 'I64', shape: [1], data: BigInt64Array.of(-(2n ** 60n)) }],
  ['half', { dtype: 'F16', shape: [3], data: Uint16Array.of(0x3c00, 0x8000, 0x7c00) }],
  ['none', { dtype: 'F64', shape: [0, 7], data: new Float64Array(0) }],
  ['ü "quoted" \\', { dtype: 'F64', shape: [1], data: Float64Array.of(Math.PI) }],
])
const METADATA = { config: '{"a": [1, "}"]}', note: 'a "quote", a colon: and {braces}' }

/** A tensor with its data as bytes: NaN is not equal to itself. */
const bytewise = (tensor: Tensor | undefined) => {
  if (!tensor) return tensor
  const { dtype, shape, data } = tensor
  return {
    dtype,
    shape,
    kind: data.constructor.name,
    bytes: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  }
}

/** A file with this header, as text or as JSON, and zeros as data. */
function file(header: unknown, dataBytes = 0): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = new Uint8Array(8 + text.length + dataBytes)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
  bytes.set(text, 8)
  return bytes
}

const f32 = (shape: unknown, begin: number, end: number) => ({ dtype: 'F32', shape, data_offsets: [begin, end] })

test('what is written is read', () => {
  const read = readSafetensors(writeSafetensors(SAMPLE, METADATA))
  assert.equal(read.metadata, METADATA)
  assert.is(read.tensors.size, SAMPLE.size)
  for (const [name, tensor] of SAMPLE) assert.equal(bytewise(read.tensors.get(name)), bytewise(tensor), name)
})

test('bytes do not depend on the order of tensors and metadata', () => {
  const reversed = new Map([...SAMPLE].reverse())
  const written = writeSafetensors(reversed, Object.fromEntries(Object.entries(METADATA).reverse()))
  assert.equal(written, writeSafetensors(SAMPLE, METADATA))
})

test('data begins at a multiple of 64 bytes, and every tensor at one of its elements', () => {
  const bytes = writeSafetensors(SAMPLE, METADATA)
  assert.is(new DataView(bytes.buffer).getUint32(0, true) % 64, 64 - 8)
  for (const { data } of readSafetensors(bytes).tensors.values()) assert.is(data.buffer, bytes.buffer)
})

test('a file at an odd address, or a slice of a pooled Buffer, reads the same', () => {
  const bytes = writeSafetensors(SAMPLE, METADATA)
  for (let shift = 0; shift < 9; shift++) {
    const moved = Buffer.alloc(bytes.length + 16, 0xaa).subarray(shift, shift + bytes.length)
    moved.set(bytes)
    const { tensors } = readSafetensors(moved)
    for (const [name, tensor] of SAMPLE)
      assert.equal(bytewise(tensors.get(name)), bytewise(tensor), `${name} at ${shift}`)
  }
})

test('a file of the reference implementation is read', () => {
  const { tensors } = readSafetensors(file('{"a":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]}}   ', 2))
  assert.equal(tensors.get('a'), { dtype: 'U8', shape: [2, 1], data: new Uint8Array(2) })
  assert.is(readSafetensors(file('{}')).tensors.size, 0)
})

test('what is invalid is refused by name', () => {
  const longHeader = new Uint8Array(16).fill(0xff)
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(7), /at least 8 bytes, got 7/],
    [longHeader, /header must have at most/],
    [file('{}').subarray(0, 9), /header of 2 bytes must be complete, got 1/],
    [file('{'), /must be JSON/],
    [file('\u00ff{}'), /must be JSON/],
    [file(' {}'), /must be an object/],
    [file('[]'), /must be an object/],
    [file('['.repeat(100_000)), /must be JSON/],
    [file({ __metadata__: { a: 1 } }), /must map strings to strings/],
    [file({ __metadata__: [] }), /must map strings to strings/],
    [file({ a: null }), /"a": must be an object, got null/],
    [file({ a: { ...f32([1], 0, 4), more: 1 } }, 4), /other keys, got \["more"\]/],
    [file({ a: { ...f32([1], 0, 4), dtype: 'F31' } }, 4), /dtype must be known, got "F31"/],
    [file({ a: { ...f32([1], 0, 4), dtype: 'toString' } }, 4), /dtype must be known/],
    [file({ a: f32([-1], 0, 4) }, 4), /shape must be a list of whole numbers/],
    [file({ a: f32([1.5], 0, 6) }, 6), /shape must be a list of whole numbers/],
    [file({ a: f32('1', 0, 4) }, 4), /shape must be a list of whole numbers/],
    [file({ a: { ...f32([1], 0, 4), data_offsets: [0] } }, 4), /data_offsets must be two whole numbers/],
    [file({ a: f32([2 ** 30, 2 ** 30], 0, 4) }, 4), /must not overflow/],
    [file({ a: f32([2 ** 52, 2 ** 52, 0], 0, 0) }), /must not overflow/],
    [file({ a: f32([2], 0, 4) }, 4), /must span the 8 bytes of its shape, got \[0,4\]/],
    [file({ a: f32([1], 4, 0) }, 4), /must span the 4 bytes/],
    [file({ a: f32([1], 4, 8) }, 8), /must begin at 0, without gap or overlap, got 4/],
    [file({ a: f32([2], 0, 8), b: f32([1], 4, 8) }, 8), /"b": its data must begin at 8/],
    [file({ a: f32([1], 0, 4) }, 5), /the data must have 4 bytes, got 5/],
    [file({ a: f32([1], 0, 4) }, 3), /the data must have 4 bytes, got 3/],
    [file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0061":{}}'), /key twice|must be known/],
    [file('{"__metadata__":{"x":"1","x":"2"}}'), /must not have a key twice, got "x"/],
  ]
  for (const [bytes, pattern] of cases) assert.throws(() => readSafetensors(bytes), pattern)
  assert.throws(() => readSafetensors('x' as unknown as Uint8Array), /must be a Uint8Array/)
})

test('a tensor around an array has its dtype', () => {
  assert.equal(tensorOf(new Float32Array(6), [2, 3]), { dtype: 'F32', shape: [2, 3], data: new Float32Array(6) })
  assert.is(tensorOf(Uint8Array.of(1)).dtype, 'U8')
  assert.is(tensorOf(Uint16Array.of(1)).dtype, 'F16')
  assert.is(tensorOf(BigInt64Array.of(1n)).dtype, 'I64')
  assert.throws(() => tensorOf([1] as unknown as Uint8Array), /data must be a typed array, got \[1\]/)
})

test('data that does not fit its shape or dtype is not written', () => {
  const write = (tensor: Tensor) => () => writeSafetensors(new Map([['a', tensor]]))
  assert.throws(write({ dtype: 'F32', shape: [3], data: new Float32Array(2) }), /must have the 3 elements/)
  assert.throws(
    write({ dtype: 'F32', shape: [2], data: new Int32Array(2) }),
    /must be a Float32Array, got "Int32Array"/,
  )
  assert.throws(() => writeSafetensors(new Map(), { big: 'x'.repeat(2 ** 20) }), /header must have at most 1048576/)
})

test('the strict subset: format, checksum, alignment', () => {
  const sealed = sealSafetensors(SAMPLE, METADATA)
  const strictly = (bytes: Uint8Array) => () => readSafetensors(bytes, { strict: true })
  const { checksum, ...metadata } = strictly(sealed)().metadata
  assert.equal(metadata, { ...METADATA, format: FORMAT })
  assert.match(checksum, /^[0-9a-f]{16}$/)
  assert.throws(strictly(writeSafetensors(SAMPLE)), /metadata.format must be bitgen\/3, got null/)
  assert.throws(
    strictly(writeSafetensors(SAMPLE, { format: FORMAT })),
    /header must begin with {"__metadata__":{"checksum":"/,
  )
  const unaligned = file({ __metadata__: { format: FORMAT } })
  assert.throws(strictly(unaligned), /multiple of 64 bytes/)
})

test('a flipped bit of a sealed file is found, wherever it lies', () => {
  const sealed = sealSafetensors(SAMPLE, METADATA)
  for (let bit = 0; bit < 8 * sealed.length; bit++) {
    const flipped = sealed.slice()
    flipped[bit >> 3] ^= 1 << (bit & 7)
    assert.throws(() => readSafetensors(flipped, { strict: true }), /^safetensors/, `bit ${bit}`)
  }
  sealed[sealed.length - 1] ^= 1
  assert.throws(
    () => readSafetensors(sealed, { strict: true }),
    /the checksum must be [0-9a-f]{16}, got "[0-9a-f]{16}"/,
  )
})

test('every truncation is refused', () => {
  const bytes = sealSafetensors(SAMPLE, METADATA)
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => readSafetensors(bytes.subarray(0, length)), /^safetensors/, `${length} bytes`)
  }
})

test(`${MUTATIONS} damaged files are read or refused in our words`, () => {
  const good = sealSafetensors(SAMPLE, METADATA)
  const next = uniform(1)
  const below = (n: number) => Math.floor(next() * n)
  const syntax = new TextEncoder().encode('{}[]",:\\0123456789eE-.tfn ')
  for (let i = 0; i < MUTATIONS; i++) {
    const bytes = good.slice(0, next() < 0.2 ? below(good.length) : good.length)
    for (let changes = 1 + below(3); changes > 0 && bytes.length > 0; changes--) {
      bytes[below(bytes.length)] = next() < 0.5 ? below(256) : syntax[below(syntax.length)]
    }
    try {
      readSafetensors(bytes)
    } catch (error) {
      assert.instance(error, RangeError, errorText(error))
      assert.match(errorText(error), /^safetensors/)
    }
  }
})

test.run()
