/**
 * Model files that are cut, flipped or written to do harm: each is refused with one error that says what does not
 * hold, before memory is taken, and none is loaded that computes something else.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Plan } from '../src/abi.ts'
import { Stream, USE } from '../src/base/rng.ts'
import { BitGen } from '../src/core.ts'
import { KEPT, PRIOR, readModelFile, type ModelManifest } from '../src/io/model-file.ts'
import { BUFFERS, CALLS, PLANS, plansOf, readPlanRows, writePlans } from '../src/io/plan-tables.ts'
import { readSafetensors, sealSafetensors, tensorOf, type Tensor } from '../src/io/safetensors.ts'
import { microModel } from './support/micro-model.ts'

const bytes = await microModel()
const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true))
const dataAt = 8 + headerBytes

/** The error of loading a file; throws where it loads. */
async function refusal(file: Uint8Array): Promise<Error> {
  try {
    await BitGen.load(file)
  } catch (error) {
    return error as Error
  }
  throw new Error('must be refused')
}

/** What a hostile author may change before sealing the file anew. */
interface Parts {
  manifest: ModelManifest
  plans: Plan[]
  tensors: Map<string, Tensor>
  metadata: Record<string, string>
}

/** The file with some parts changed and the checksum right. */
function resealed(change: (parts: Parts) => void): Uint8Array {
  const { tensors, metadata } = readSafetensors(bytes, { strict: true })
  const plans = plansOf(readPlanRows(tensors))
  const before = JSON.stringify(plans)
  const parts: Parts = { manifest: JSON.parse(metadata.manifest), plans, tensors, metadata: {} }
  change(parts)
  if (JSON.stringify(plans) !== before) for (const [name, tensor] of writePlans(plans)) tensors.set(name, tensor)
  return sealSafetensors(tensors, { kind: 'model', manifest: JSON.stringify(parts.manifest), ...parts.metadata })
}

/** The JSON of the plans as it stands in the file, with other text. */
const textOfPlans = (parts: Parts, text: string) => {
  parts.tensors.set(PLANS, tensorOf(new TextEncoder().encode(text)))
}

/** The JSON of the plans, in whatever form. */
interface Tables {
  names: unknown[]
  shapes: unknown[]
  constants: unknown[]
  plans: { name: string; symbols: unknown; inputs: unknown; buffers: unknown; calls: unknown }[]
}

const changeTables = (parts: Parts, change: (tables: Tables) => void) => {
  const tables = JSON.parse(new TextDecoder().decode(parts.tensors.get(PLANS)!.data as Uint8Array))
  change(tables)
  textOfPlans(parts, JSON.stringify(tables))
}

/** Of the last plan, whose rows end the tensors. */
const changeHead = (parts: Parts, change: (head: Tables['plans'][number]) => void) => {
  changeTables(parts, ({ plans }) => change(plans.at(-1)!))
}

/** One number of the rows of buffers or calls. */
const setRow = ({ tensors }: Parts, name: string, at: number, value: number) => {
  const { shape, data } = tensors.get(name)!
  tensors.set(name, tensorOf(Uint32Array.from(data as Uint32Array).fill(value, at, at + 1), shape))
}

test('the file as it is written opens, sealed anew too', () => {
  assert.equal(
    resealed(() => undefined),
    bytes,
  )
  assert.is(readModelFile(bytes).manifest.name, 'micro')
})

test('every kind of cut is refused, at the first bytes, in the header, in the data and at the end', async () => {
  const stride = Math.ceil(bytes.length / 300)
  const cuts = [0, 1, 7, 8, 9, dataAt - 1, dataAt, dataAt + 1, bytes.length - 1]
  for (let at = 11; at < bytes.length; at += stride) cuts.push(at)
  for (const cut of cuts) {
    const error = await refusal(bytes.subarray(0, cut))
    assert.ok(error instanceof RangeError, `${cut}: ${error}`)
    assert.match(error.message, /^safetensors/)
  }
})

test('a flipped bit is found, wherever it lies', async () => {
  const stream = new Stream(1, 0, 0, USE.init)
  for (let i = 0; i < 500; i++) {
    // Half of them in the header, which is the smaller part and has more to break.
    const at = Math.floor(stream.next() * (i % 2 ? dataAt : bytes.length))
    const flipped = bytes.slice()
    flipped[at] ^= 1 << (i % 8)
    const error = await refusal(flipped)
    assert.ok(error instanceof RangeError, `byte ${at}: ${error.stack}`)
  }
})

const planOf = ({ plans }: Parts, name: string) => plans.find((plan) => plan.name === name)!
const portOf = (parts: Parts, plan: string, name: string) => planOf(parts, plan).buffers.find((b) => b.name === name)!
const bufferOf = (parts: Parts, name: string) => portOf(parts, 'encodeText', name)
/** An object of another kind in the place of one that is expected. */
const other = (value: unknown) => value as never

/** What the author changed, and what the error must say. */
const HOSTILE: [title: string, change: (parts: Parts) => void, error: RegExp][] = [
  ['kind', (p) => (p.metadata.kind = 'checkpoint'), /must be of kind model, got "checkpoint"/],
  ['no manifest', (p) => (p.metadata.manifest = '{'), /manifest must be JSON/],
  ['a list for the manifest', (p) => (p.manifest = other([])), /manifest must be an object/],
  ['null for the manifest', (p) => (p.manifest = other(null)), /manifest must be an object/],
  ['image size', (p) => (p.manifest.image = 64), /encodeImage: pixels must be f32 \[B,3,64,64\]/],
  ['no image size', (p) => (p.manifest.image = other('32')), /manifest.image: must be of its kind, got "32"/],
  ['channels', (p) => (p.manifest.channels = 1e9), /image_features must be f32 \[B,1000000000\]/],
  ['longest text', (p) => (p.manifest.maxLength = 13), /encodeText: must take texts of 13 ids, got 12/],
  ['temperature', (p) => (p.manifest.temperature = other(null)), /manifest.temperature/],
  ['parameters', (p) => (p.manifest.parameters = other({ total: '1' })), /manifest.parameters/],
  ['no plans', (p) => p.tensors.delete(PLANS), /model file: plans: must be U8, got null/],
  ['plans that are no bytes', (p) => p.tensors.set(PLANS, tensorOf(new Int8Array(2))), /plans: must be U8, got "I8"/],
  [
    'plans that are no text',
    (p) => p.tensors.set(PLANS, tensorOf(Uint8Array.of(0xff))),
    /plans: must be JSON in UTF-8/,
  ],
  ['plans that are no JSON', (p) => textOfPlans(p, '['), /plans: must be JSON in UTF-8/],
  ['plans of another kind', (p) => textOfPlans(p, '{}'), /plans: must have tables/],
  ['no plan', (p) => p.plans.splice(0), /plan encodeImage: must be there/],
  [
    'null for a plan',
    (p) => changeTables(p, ({ plans }) => (plans[0] = other(null))),
    /every plan must have a name, got null/,
  ],
  ['a plan twice', (p) => p.plans.push(planOf(p, 'encodeText')), /must have every plan once/],
  ['symbols', (p) => changeHead(p, (head) => (head.symbols = null)), /symbols must have whole numbers above 0/],
  ['inputs', (p) => changeHead(p, (head) => (head.inputs = [1])), /must name its inputs and outputs/],
  ['huge batch', (p) => (planOf(p, 'encodeText').symbols.B = 2 ** 40), /must have \d+ bytes/],
  ['no plans', (p) => changeTables(p, (tables) => (tables.plans = other(1))), /must have tables/],
  ['a name that is none', (p) => changeTables(p, ({ names }) => names.push(1)), /must have tables/],
  ['a shape that is none', (p) => (bufferOf(p, 'ids').shape = other('B')), /must have tables/],
  ['a dimension below 0', (p) => changeTables(p, ({ shapes }) => shapes.push([-1])), /must have tables/],
  ['null for a constant', (p) => changeTables(p, ({ constants }) => constants.push(null)), /must have tables/],
  ['a place before a buffer', (p) => changeTables(p, ({ constants }) => constants.push([1, -4])), /must have tables/],
  ['a place without end', (p) => changeTables(p, ({ constants }) => constants.push([1])), /must have tables/],
  ['no rows of buffers', (p) => p.tensors.delete(BUFFERS), /plans.buffers: must be U32, got null/],
  ['rows of another kind', (p) => p.tensors.set(CALLS, tensorOf(new Int32Array(2))), /plans.calls: must be U32/],
  ['no count of buffers', (p) => changeHead(p, (head) => (head.buffers = '1')), /buffers of the known kinds/],
  ['more buffers than rows', (p) => changeHead(p, (head) => (head.buffers = 2 ** 40)), /buffers of the known kinds/],
  ['no count of calls', (p) => changeHead(p, (head) => (head.calls = null)), /calls of a kernel with arguments/],
  ['more calls than rows', (p) => changeHead(p, (head) => (head.calls = 2 ** 40)), /calls of a kernel with arguments/],
  [
    'a row too many',
    (p) => changeHead(p, (head) => (head.calls as number)--),
    /rows of their buffers and calls, and no/,
  ],
  ['segment', (p) => setRow(p, BUFFERS, 0, 4), /buffers of the known kinds/],
  ['dtype', (p) => setRow(p, BUFFERS, 1, 6), /buffers of the known kinds/],
  ['shape of no table', (p) => setRow(p, BUFFERS, 2, 2 ** 32 - 1), /buffers of the known kinds/],
  ['name of no table', (p) => setRow(p, BUFFERS, 5, 2 ** 32 - 1), /buffers of the known kinds/],
  ['kernel of no table', (p) => setRow(p, CALLS, 0, 2 ** 32 - 1), /calls of a kernel with arguments/],
  ['arguments behind the end', (p) => setRow(p, CALLS, 1, 2 ** 32 - 1), /calls of a kernel with arguments/],
  ['an address of no buffer', (p) => setRow(p, CALLS, 2, 2 ** 32 - 2), /calls of a kernel with arguments/],
  ['a constant of no table', (p) => setRow(p, CALLS, 2, 2 ** 32 - 1), /calls of a kernel with arguments/],
  ['symbol of the prototype', (p) => (bufferOf(p, 'ids').shape = ['toString']), /ids must be i32 \[B,T\]/],
  ['infinite argument', (p) => (planOf(p, 'encodeText').calls[0].a[3] = '1e999'), /symbol 1e999/],
  ['unknown kernel', (p) => (planOf(p, 'encodeText').calls[0].k = '__proto__'), /must be a kernel of the/],
  ['address', (p) => (planOf(p, 'encodeText').calls[0].a[0] = 4096), /tableAt|table of ids/],
  [
    'far buffer',
    (p) => (planOf(p, 'encodeText').calls[1].a[0] = { at: planOf(p, 'encodeText').buffers.length }),
    /must be one of \d+ buffers/,
  ],
  ['overlap', (p) => planOf(p, 'encodeText').buffers.forEach((b) => (b.offset = 0)), /must not overlap/],
  ['3 GiB of scratch', (p) => hoard(planOf(p, 'encodeText'), 3 * 2 ** 30), /memory: must stay within 536870912 bytes/],
  ['weight of 3 GiB', (p) => (bufferOf(p, 'itc.text_proj.bias').bytes = 3 * 2 ** 30), /memory: must stay within/],
  ['a weight missing', (p) => p.tensors.delete('text.norm.weight'), /must hold the weight text.norm.weight/],
  [
    'a weight cut',
    (p) => p.tensors.set('text.norm.weight', tensorOf(new Float32Array(31))),
    /must have 32 elements, got 31/,
  ],
  [
    'a weight of another kind',
    (p) => p.tensors.set('text.norm.weight', tensorOf(new Int32Array(32))),
    /must be F32, F16, or I8/,
  ],
  [
    'scales missing',
    (p) => p.tensors.delete('text.token_embedding.weight.scale'),
    /must hold the weight text.token_embedding.weight.scale/,
  ],
  [
    'ids that have no row',
    (p) => p.tensors.set(KEPT, tensorOf(Int32Array.from({ length: 91 }, (_, i) => (i < 90 ? i : 50256)))),
    /must have 92 rows/,
  ],
  ['ids of another kind', (p) => p.tensors.set(KEPT, tensorOf(new Float32Array(41))), /vocabulary.kept: must be I32/],
  ['ids that GPT-2 lacks', (p) => p.tensors.set(KEPT, tensorOf(Int32Array.of(-5, 7))), /row 0: ids must ascend from 0/],
  ['thresholds', (p) => (p.manifest.scope = other({ image: 1 })), /manifest.scope/],
  ['no code', (p) => (portOf(p, 'fuse', 'code').name = 'core'), /fuse: code must be f32 \[B,32\], got null/],
  [
    'tokens',
    (p) => (portOf(p, 'fuse', 'vision_tokens').shape = ['B', 6, 32]),
    /fuse: vision_tokens must be f32 \[B,17,32\]/,
  ],
  [
    'weight of two sizes',
    (p) => (portOf(p, 'fuse', 'text.norm.weight').bytes *= 2),
    /128 bytes in every plan, got 256/,
  ],
  ['reading', (p) => (portOf(p, 'decodeNext', 'read').dtype = 'i32'), /decodeNext: read must be f32 \[B,32\]/],
  ['visible', (p) => (portOf(p, 'startDecoding', 'visible').shape = [1]), /visible must be i32 \[B\], got \[1\]/],
  [
    'ids of captions',
    (p) => (portOf(p, 'decodeNext', 'text.token_embedding.weight').shape = [41, 32]),
    /must have 42 rows/,
  ],
  ['prior of another width', (p) => p.tensors.set(PRIOR, tensorOf(new Float32Array(31), [1, 31])), /F32 \[slots,32\]/],
  ['prior of another kind', (p) => p.tensors.set(PRIOR, tensorOf(new BigInt64Array(32), [1, 32])), /F32 \[slots,32\]/],
  ['all ids without rows', (p) => p.tensors.delete(KEPT), /must have 50257 rows, got 42/],
]

/** Asks for memory: scratch behind all that the plan has. */
function hoard(plan: Plan, size: number): void {
  const scratch = plan.buffers.find(({ segment, name }) => segment === 'scratch' && name === undefined)!
  scratch.bytes = size
  scratch.offset = 2 ** 30
}

for (const [title, change, expected] of HOSTILE) {
  test(`refuses, though sealed: ${title}`, async () => {
    const before = process.memoryUsage().rss
    const error = await refusal(resealed(change))
    assert.ok(error instanceof RangeError, error.stack)
    assert.match(error.message, expected)
    assert.ok(process.memoryUsage().rss - before < 2 ** 28, 'must not take memory')
  })
}

test('a plan that computes without end of its memory fails with its name, and for good', async () => {
  const file = resealed((parts) => {
    const call = planOf(parts, 'encodeText').calls.find(({ k }) => k === 'matmul_nt__i8_t2')!
    call.a[8] = 2 ** 30
  })
  const model = await BitGen.load(file)
  for (let i = 0; i < 2; i++) {
    const error = await model.embedText([1, 2]).then(() => undefined, String)
    assert.match(error!, /memory access out of bounds|must not have trapped/)
  }
})

test('numbers written at random into sealed plans end in an error or a result, never in a hang', async () => {
  const stream = new Stream(2, 0, 0, USE.init)
  const values = [-1, 0, 1, 7, 2 ** 16, 2 ** 31 - 1, 2 ** 31, 1.5, 'B', 'B*B*B', 'T*T*T']
  const pick = <T>(list: readonly T[]) => list[Math.floor(stream.next() * list.length)]
  let refused = 0
  for (let i = 0; i < 200; i++) {
    const file = resealed((parts) => {
      const call = pick(pick(parts.plans).calls)
      call.a[Math.floor(stream.next() * call.a.length)] = pick(values)
    })
    try {
      const model = await BitGen.load(file)
      await model.embedText([[1, 2, 3]])
      const image = { data: new Uint8Array(12), width: 2, height: 2, channels: 3 as const }
      await model.match(image, [1, 2, 3])
      await model.caption(image)
    } catch (error) {
      assert.ok(error instanceof RangeError || error instanceof WebAssembly.RuntimeError, String(error))
      refused++
    }
  }
  assert.ok(refused > 50, `${refused} of 200 were refused`)
})

test('sizes that rows cannot hold are refused where plans are written', () => {
  const [plan] = readModelFile(bytes).plans
  for (const size of [-4, 0.5, 2 ** 32, 2 ** 52]) {
    const buffers = plan.buffers.map((buffer, i) => (i === 0 ? { ...buffer, bytes: size } : buffer))
    const expected = new RegExp(`plans: must be whole numbers below 2\\^32, got ${size}`)
    assert.throws(() => writePlans([{ ...plan, buffers }]), expected)
  }
})

test('what is refused before memory is asked for, and behind the checksum', () => {
  assert.throws(() => readModelFile(resealed((parts) => (parts.manifest.name = other(1)))), /manifest.name/)
  assert.throws(() => readModelFile(bytes.subarray(0, dataAt + 5)), /the data must have/)
})

test.run()
