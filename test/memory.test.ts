/**
 * The episodic memory of inference by itself, on random codes: what was forgotten leaves no trace, ids and capacity,
 * ranking by hand, and its file, also cut, changed and written to do harm. Its arithmetic is held by the goldens.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Stream, USE } from '../src/base/rng.ts'
import { writeMemoryFile } from '../src/io/memory-file.ts'
import { readSafetensors, sealSafetensors, writeSafetensors } from '../src/io/safetensors.ts'
import { EpisodicMemory, type MemoryEntry, type MemoryQuery } from '../src/runtime/memory.ts'

const [SLOTS, CHANNELS, IMAGE] = [8, 32, 80]

function numbers(seed: number, length = CHANNELS): Float32Array {
  const stream = new Stream(seed, 0, 0, USE.episode)
  return Float32Array.from({ length }, () => stream.normal())
}

const OPTIONS = { prior: numbers(1, SLOTS * CHANNELS), slots: SLOTS, channels: CHANNELS, imageLength: IMAGE }

/** Entry `n`: other numbers for every n. */
function entryOf(n: number, channels = CHANNELS): MemoryEntry {
  const [z, text] = [1, 3].map((kind) => numbers(1000 * kind + n, channels))
  const image = numbers(2000 + n, IMAGE)
  return { id: `e${n}`, label: `thing ${n}`, z, image, text }
}

/** A memory to which entries `ns` were written, and nothing else ever. */
function memoryOf(ns: Iterable<number>, options = OPTIONS): EpisodicMemory {
  const memory = new EpisodicMemory(options)
  for (const n of ns) memory.write(entryOf(n, options.channels))
  return memory
}

/** Largest difference, divided by the root mean square of what is wanted. */
function difference(got: ArrayLike<number>, want: ArrayLike<number>): number {
  const power = Array.from(want).reduce((sum, x) => sum + x * x, 0) / want.length
  return Math.max(...Array.from(want, (x, i) => Math.abs(got[i] - x))) / Math.sqrt(power)
}

/** Posterior and ledger of one memory are those of another, but for rounding. */
function requireSame(got: EpisodicMemory, want: EpisodicMemory, limit: number): void {
  assert.equal(got.list(), want.list())
  const [a, b] = [got.state(), want.state()]
  const code = numbers(9, got.channels)
  for (const [name, left, right] of [
    ['Cm', a.Cm, b.Cm],
    ['Hm', a.Hm, b.Hm],
    ['M', got.mean(), want.mean()],
    ['z_r', got.read(code).z, want.read(code).z],
  ] as const) {
    assert.ok(difference(left, right) < limit, `${name} differs by ${difference(left, right)}`)
  }
}

for (const [slots, channels, steps] of [
  [SLOTS, CHANNELS, 400],
  [32, 128, 160],
]) {
  test(`what was forgotten leaves no trace: ${slots} slots, ${steps} writes and forgets`, () => {
    const options = { prior: numbers(2, slots * channels), slots, channels, imageLength: IMAGE }
    const memory = new EpisodicMemory(options)
    const stream = new Stream(slots, 0, 0, USE.sample)
    let left: number[] = []
    let forgotten = 0
    for (let n = 0; n < steps; n++) {
      memory.write(entryOf(n, channels))
      left.push(n)
      // As many are forgotten as written, in bursts; the memory is empty now and then.
      for (let burst = stream.below(8) === 0 ? 16 : 0; burst > 0 && left.length > 0; burst--) {
        const gone = left[stream.below(left.length)]
        memory.forget(`e${gone}`)
        left = left.filter((one) => one !== gone)
        forgotten++
      }
      if (n % 10 === 9) requireSame(memory, memoryOf(left, options), 1e-5)
    }
    assert.ok(forgotten > 100, `${forgotten} were forgotten, more than one rebuild`)
    for (const n of left) memory.forget(`e${n}`)
    requireSame(memory, new EpisodicMemory(options), 1e-5)
  })
}

test('what was written is read back, and the prior answers where nothing was', () => {
  const cos = (a: Float32Array, b: Float32Array) => {
    const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, one, i) => sum + one * y[i], 0)
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
  }
  const memory = memoryOf([1, 2, 3])
  for (const n of [1, 2, 3]) assert.ok(cos(memory.read(entryOf(n).z).z, entryOf(n).z) > 0.9, `code ${n}`)
  const never = cos(memory.read(entryOf(4).z).z, entryOf(4).z)
  assert.ok(never < 0.8, `a code that was not written: ${never}`)
  assert.is(memory.read(entryOf(1).z).address.length, SLOTS)
  assert.ok(difference(new EpisodicMemory(OPTIONS).mean(), OPTIONS.prior) < 1e-12)
})

test('beyond its capacity the oldest is forgotten, and named', () => {
  const memory = new EpisodicMemory({ ...OPTIONS, capacity: 3 })
  const evicted = Array.from({ length: 200 }, (_, n) => memory.write(entryOf(n)).evicted)
  assert.equal(
    evicted,
    Array.from({ length: 200 }, (_, n) => (n < 3 ? undefined : `e${n - 3}`)),
  )
  assert.is(memory.size, 3)
  requireSame(memory, memoryOf([197, 198, 199]), 1e-5)
  assert.is(memory.nearest({ code: entryOf(5).z })!.id.length, 4)
})

test('ids that are not given are numbers that no entry has or had', () => {
  const memory = new EpisodicMemory(OPTIONS)
  const write = (id?: string) => memory.write({ ...entryOf(0), id }).id
  assert.equal([write(), write(), write('7'), write(), write('cat'), write('03')], ['1', '2', '7', '8', 'cat', '03'])
  memory.forget('8')
  assert.is(write(), '9')
  assert.throws(() => write('cat'), /memory: must not have this id yet, got "cat"/)
  assert.equal(
    memory.list().map(({ id }) => id),
    ['1', '2', '7', 'cat', '03', '9'],
  )
  assert.is(memory.entry('cat').label, 'thing 0')
  for (const call of [() => memory.entry('8'), () => memory.forget('8')]) {
    assert.throws(
      call,
      (error: Error) => error instanceof RangeError && /entry of this id, got "8"/.test(error.message),
    )
  }
  memory.forget('9')
  assert.is(EpisodicMemory.load(memory.save(), OPTIONS).write({ ...entryOf(0), id: undefined }).id, '10')
})

test('an entry is a copy: what the caller does to its arrays changes nothing', () => {
  const memory = new EpisodicMemory(OPTIONS)
  const entry = entryOf(1)
  memory.write(entry)
  for (const feature of [entry.z, entry.image, entry.text]) feature.fill(0)
  memory.state().Cm.fill(0)
  requireSame(memory, memoryOf([1]), 1e-12)
  assert.equal(memory.entry('e1'), entryOf(1))
})

test('ranks by the cosine of the kind that is asked, oldest first among equals', () => {
  const axes = (length: number, ...at: number[]) => Float32Array.from({ length }, (_, c) => Number(at.includes(c)))
  const axis = (...at: number[]) => axes(CHANNELS, ...at)
  const imageAxis = (at: number) => axes(IMAGE, at)
  const memory = new EpisodicMemory(OPTIONS)
  assert.is(memory.nearest({ image: imageAxis(50) }), null)
  memory.write({ id: 'a', label: 'A', z: axis(2), image: imageAxis(50), text: axis(1) })
  memory.write({ id: 'b', label: 'B', z: axis(0, 1), image: imageAxis(51), text: axis(0) })
  memory.write({ id: 'c', label: 'C', z: axis(3), image: imageAxis(50), text: axis(2) })
  const ids = (query: MemoryQuery) => memory.rank(query).map(({ id }) => id)
  assert.equal(ids({ image: imageAxis(50) }), ['a', 'c', 'b'])
  assert.equal(ids({ text: axis(0) }), ['b', 'a', 'c'])
  const best = memory.nearest({ code: axis(0) })!
  assert.equal([best.id, best.label], ['b', 'B'])
  assert.ok(Math.abs(best.similarity - Math.SQRT1_2) < 1e-6)
  assert.is(memory.nearest({ image: new Float32Array(IMAGE) })!.similarity, 0)
})

test('what does not fit is refused, and the memory stays as it was', () => {
  const memory = memoryOf([1, 2])
  const odd = numbers(3, CHANNELS + 1)
  const nan = numbers(3)
  nan[5] = NaN
  const refusals: [call: () => unknown, error: RegExp][] = [
    [() => memory.write({ ...entryOf(3), z: odd }), /^codes and features must have 32 numbers, got 33$/],
    [() => memory.write({ ...entryOf(3), image: numbers(3) }), /^keys of pictures must have 80 numbers, got 32$/],
    [() => memory.write({ ...entryOf(3), image: numbers(3, IMAGE).fill(NaN) }), /^keys of pictures must be finite$/],
    [() => memory.write({ ...entryOf(3), text: [1] as never }), /^codes and features must be Float32Arrays/],
    [() => memory.write({ ...entryOf(3), label: 5 as never }), /^id and label must be strings/],
    [() => memory.read(nan), /^codes and features must be finite$/],
    [() => memory.rank({ image: odd }), /^keys of pictures must have 80 numbers, got 33$/],
    [() => memory.rank({}), /^a query must have one of image, text and code, got \[\]$/],
    [() => memory.rank({ image: nan, text: nan }), /^a query must have one of image, text and code/],
    [() => new EpisodicMemory({ ...OPTIONS, slots: 0 }), /^slots must be a whole number from 1, got 0$/],
    [() => new EpisodicMemory({ ...OPTIONS, channels: 1.5 }), /^channels must be a whole number from 1, got 1.5$/],
    [() => new EpisodicMemory({ ...OPTIONS, capacity: 0 }), /^capacity must be a whole number from 1, got 0$/],
    [() => new EpisodicMemory({ ...OPTIONS, slots: 9 }), /^prior must have 9 x 32 numbers, got 256$/],
  ]
  for (const [call, error] of refusals) {
    assert.throws(call, ({ message }: Error) => error.test(message.replace(/^memory: /, '')), String(error))
  }
  const broken = { ...OPTIONS, prior: OPTIONS.prior.map(() => NaN) }
  assert.throws(() => new EpisodicMemory(broken), /must be positive definite/)
  requireSame(memory, memoryOf([1, 2]), 1e-12)
})

test('comes back from its file, which is the same for the same content', () => {
  const memory = memoryOf([5, 6, 7, 8])
  memory.forget('e6')
  const bytes = memory.save()
  const loaded = EpisodicMemory.load(bytes, OPTIONS)
  requireSame(loaded, memoryOf([5, 7, 8]), 1e-15)
  assert.equal(loaded.save(), bytes)
  assert.equal(loaded.entry('e7'), entryOf(7))
  const empty = EpisodicMemory.load(new EpisodicMemory(OPTIONS).save(), OPTIONS)
  requireSame(empty, new EpisodicMemory(OPTIONS), 1e-15)
})

const FILE = memoryOf([1, 2, 3]).save()

/** The error of loading a file; undefined where it loads. */
function refusal(bytes: Uint8Array, options = OPTIONS): Error | undefined {
  try {
    return void EpisodicMemory.load(bytes, options)
  } catch (error) {
    return error as Error
  }
}

test('a file cut anywhere is refused', () => {
  for (let length = 0; length < FILE.length; length++) {
    assert.ok(refusal(FILE.subarray(0, length)) instanceof RangeError, `${length} bytes`)
  }
})

test('a changed byte is found', () => {
  const stream = new Stream(4, 0, 0, USE.sample)
  for (let i = 0; i < 3000; i++) {
    const bytes = FILE.slice()
    // Half of them in the header, which has more to break.
    const at = stream.below(i % 2 ? bytes.length : 600)
    bytes[at] ^= 1 + stream.below(255)
    const error = refusal(bytes)
    assert.ok(error instanceof RangeError, `byte ${at}: ${error?.stack}`)
  }
})

/** A file with other metadata, sealed anew. */
function withMetadata(changes: Record<string, string>): Uint8Array {
  const { tensors, metadata } = readSafetensors(FILE)
  return sealSafetensors(tensors, { ...metadata, ...changes })
}

/** A file of any entries. */
function fileOf(...entries: MemoryEntry[]): Uint8Array {
  return writeMemoryFile({ entries, next: 1 }, Float64Array.from(OPTIONS.prior), OPTIONS)
}

test('files that are none of this memory are refused', () => {
  const infinite = { ...entryOf(1), image: numbers(1, IMAGE).fill(Infinity) }
  const refusals: [bytes: Uint8Array, error: RegExp, options?: typeof OPTIONS & { capacity?: number }][] = [
    [withMetadata({ kind: 'model' }), /must be of kind memory, got "model"/],
    [withMetadata({ ledger: '[]' }), /image must be F32 \[0,\d+\]/],
    [withMetadata({ ledger: '{' }), /ledger must be JSON/],
    [withMetadata({ next: '0' }), /next must be a whole number from 1, got "0"/],
    [writeSafetensors(new Map()), /metadata.format must be/],
    [FILE, /must be of the model with prior/, { ...OPTIONS, prior: numbers(7, SLOTS * CHANNELS) }],
    [FILE, /must have at most 2 entries, got 3/, { ...OPTIONS, capacity: 2 }],
    [fileOf(infinite), /image must be finite/],
    [fileOf(entryOf(1), entryOf(1)), /ids must differ/],
    [fileOf({ ...entryOf(1), id: 5 as never }), /ledger must be a list of id and label/],
  ]
  for (const [bytes, expected, options] of refusals) {
    const error = refusal(bytes, options)
    assert.ok(error instanceof RangeError, String(error))
    assert.match(error.message, expected)
  }
  assert.throws(() => EpisodicMemory.load('text' as never, OPTIONS), /bytes must be a Uint8Array/)
})

test('a file of codes beyond all measure is refused or read, and gives numbers', () => {
  for (const size of [1e10, 1e20, 3e38]) {
    const file = fileOf(...[1, 2, 3].map((n) => ({ ...entryOf(n), z: entryOf(n).z.map((x) => Math.fround(x * size)) })))
    const error = refusal(file)
    if (error) assert.ok(error instanceof RangeError, error.stack)
    else assert.ok(EpisodicMemory.load(file, OPTIONS).mean().every(Number.isFinite))
  }
})

test('ids and labels that no header can hold are refused when they are saved', () => {
  const memory = new EpisodicMemory(OPTIONS)
  memory.write({ ...entryOf(1), label: 'x'.repeat(2 ** 20) })
  assert.throws(() => memory.save(), /the header must have at most 1048576 bytes/)
})

test('ids are generated behind every number that was given, however large', () => {
  const memory = new EpisodicMemory(OPTIONS)
  const generated = () => memory.write({ ...entryOf(0), id: undefined }).id
  memory.write({ ...entryOf(1), id: '999999999' })
  assert.equal([generated(), generated()], ['1000000000', '1000000001'])
})

test.run()
