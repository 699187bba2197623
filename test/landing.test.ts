/** How a model file comes in: from every source, into the memory of its kernels, whose weights stay where they are. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BitGen as Core } from '../src/core.ts'
import { BitGen } from '../src/index.ts'
import { incoming, type OpenFile } from '../src/io/fetch.ts'
import { readModelFile } from '../src/io/model-file.ts'
import { KERNELS } from '../src/kernels.ts'
import { loadSession } from '../src/runtime/landing.ts'
import type { KernelSource } from '../src/runtime/load.ts'
import { Session } from '../src/runtime/session.ts'
import { builtKernels } from './support/kernels.ts'
import { microModel, picture } from './support/micro-model.ts'
import { thrown } from './support/thrown.ts'

const bytes = await microModel()
const model = await Core.load(bytes)
const PICTURE = picture(0, 20, 33, 3)
const usable = (await builtKernels()).map(({ manifest }) => manifest.isa)

test('loads from a path, a file URL, bytes, a Response, an address, an open file and what is on its way', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bitgen-session-'))
  const path = join(folder, 'model #1.safetensors')
  writeFileSync(path, bytes)
  const server = createServer((_, response) => response.writeHead(200, { 'content-length': bytes.length }).end(bytes))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model`
  try {
    const { data: expected } = await model.embedImage(PICTURE)
    const url = pathToFileURL(path)
    const upper = address.replace('http', 'HTTP')
    const response = new Response(bytes as Uint8Array<ArrayBuffer>)
    const handle = await open(path)
    const opening = open(path)
    const sources = [
      path,
      url,
      url.href,
      bytes,
      response,
      address,
      upper,
      handle,
      fetch(address),
      readFile(path),
      opening,
    ]
    for (const source of sources) {
      const progress: [number, number | undefined][] = []
      const loaded = await BitGen.load(source, { onProgress: (done, all) => progress.push([done, all]) })
      assert.equal((await loaded.embedImage(PICTURE)).data, expected)
      assert.is(loaded.info().fileBytes, bytes.length)
      if ((await source) instanceof Uint8Array) assert.equal(progress, [])
      else assert.is(progress.at(-1)![0], bytes.length)
      if (source === address) assert.is(progress.at(-1)![1], bytes.length)
    }
    await handle.close()
    await (await opening).close()
    // What the caller's own function throws is no fault of the source.
    const onProgress = () => {
      throw new Error('of the caller')
    }
    for (const source of [path, address]) {
      assert.is(await thrown(() => BitGen.load(source, { onProgress })), 'Error: of the caller')
    }
  } finally {
    server.close()
    rmSync(folder, { recursive: true })
  }
})

test('an abort ends a load, also of a server that has fallen silent', async () => {
  assert.match(await thrown(() => Core.load(bytes, { signal: AbortSignal.abort(new Error('enough')) })), 'enough')
  const body = new ReadableStream<Uint8Array>({ start: (stream) => stream.enqueue(bytes.slice(0, 100)) })
  const controller = new AbortController()
  const options = { signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) }
  assert.match(await thrown(() => Core.load(new Response(body), options)), 'enough')
  const never = new Promise<Response>(() => undefined)
  const late = new AbortController()
  const load = thrown(() => Core.load(never, { signal: late.signal }))
  late.abort(new Error('too late'))
  assert.match(await load, 'too late')
  assert.match(await thrown(() => Core.load(never, { signal: late.signal })), 'too late')
})

/** A file that gives its bytes after a while; `size` is what it says that it has. */
function slowFile(size = bytes.length, log: string[] = []): OpenFile {
  return {
    stat: async () => ({ size }),
    read: async (into, offset, length, position) => {
      log.push('reading')
      await new Promise((resolve) => setTimeout(resolve, 50))
      const part = bytes.subarray(position, position + Math.min(length, 100_000))
      into.set(part, offset)
      log.push('read')
      return { bytesRead: part.length }
    },
  }
}

const landed = (file: OpenFile, sources: readonly KernelSource[] = KERNELS) => {
  return loadSession(incoming(file, 2 ** 29), { sources })
}

/** Modules of which some fail an answer. */
function broken(...isas: string[]): KernelSource[] {
  return KERNELS.map(({ isa, load }) => ({
    isa,
    load: async () => {
      const { wasm, manifest } = await load()
      const [first, ...rest] = manifest.answers
      const answers = isas.includes(isa) ? [{ ...first, digest: first.digest ^ 1 }, ...rest] : manifest.answers
      return { wasm, manifest: { ...manifest, answers } }
    },
  }))
}

test('weights stay where the file was read to; decoded ones, and those of other memory, lie behind it', async () => {
  const { tensors } = readModelFile(bytes)
  for (const isLanded of [true, false]) {
    const session = isLanded ? await landed(slowFile()) : await Session.open(bytes, { sources: KERNELS })
    const { executor } = session
    const { kernels, memoryUse } = executor
    const weights = executor.names('weight')
    const inPlace = weights.filter(({ name }) => executor.tensor(name!).byteOffset < kernels.base)
    const decoded = weights.filter(({ name }) => tensors.get(name!)!.dtype === 'F16')
    assert.ok(decoded.length > 0)
    assert.is(inPlace.length, isLanded ? weights.length - decoded.length : 0)
    const own = weights.filter((buffer) => !inPlace.includes(buffer))
    const ownBytes = own.reduce((sum, buffer) => sum + Math.ceil(buffer.bytes / 64) * 64, 0)
    assert.is(memoryUse.weights, kernels.roomBytes + ownBytes)
    assert.is(kernels.roomBytes, isLanded ? Math.ceil(bytes.length / 64) * 64 : 0)
    assert.is(memoryUse.kernels, Math.ceil(kernels.manifest.heapBase / 64) * 64)
    assert.equal(session.imageFeatures([PICTURE]).data, (await model.embedImage(PICTURE)).data)
  }
})

test('a file is read while answers are checked, into memory that does not grow meanwhile', async () => {
  const log: string[] = []
  const sources = KERNELS.map(({ isa, load }) => ({
    isa,
    load: async () => {
      const { wasm, manifest } = await load()
      const asked = (log.push('kernels'), () => (log.push('answers'), manifest.answers))
      return { wasm, manifest: Object.defineProperty({ ...manifest }, 'answers', { get: asked }) }
    },
  }))
  const session = await landed(slowFile(bytes.length, log), sources)
  // Asked first for how much memory they take.
  assert.equal(log.slice(0, 4), ['kernels', 'answers', 'reading', 'answers'])
  assert.equal(session.imageFeatures([PICTURE]).data, (await model.embedImage(PICTURE)).data)
})

test('kernels on several threads take the file from memory of its own, where it was read once', async () => {
  const log: string[] = []
  const session = await loadSession(incoming(slowFile(bytes.length, log), 2 ** 29), { sources: KERNELS, threads: 2 })
  assert.is(session.executor.kernels.team?.threads, 2)
  assert.is(session.executor.kernels.roomBytes, 0)
  assert.is(log.filter((line) => line === 'reading').length, Math.ceil(bytes.length / 100_000))
  assert.equal(session.imageFeatures([PICTURE]).data, (await model.embedImage(PICTURE)).data)
  session.executor.close()
})

test('where the first kernels fail, others take the file from their memory', async () => {
  const session = await landed(slowFile(), broken(usable.at(-1)!))
  assert.is(session.executor.kernels.manifest.isa, usable.at(-2))
  assert.is(session.executor.kernels.roomBytes, 0)
  assert.equal(session.imageFeatures([PICTURE]).data, (await model.embedImage(PICTURE)).data)
})

test('a file that is damaged is told before kernels that do not work', async () => {
  assert.match(await thrown(() => landed(slowFile(), broken(...usable))), /^Error: loadKernels: one module must work/)
  const cut = slowFile(bytes.length - 1)
  assert.match(await thrown(() => landed(cut, broken(...usable))), /^RangeError: safetensors: the data must have/)
})

test('an open file that ends early, fails or is too large says so', async () => {
  const load = (file: OpenFile, options = {}) => thrown(() => Core.load(file, options))
  const must = `must have ${bytes.length + 1} bytes to its end, got ${bytes.length}`
  assert.is(await load(slowFile(bytes.length + 1)), `RangeError: open file: ${must}`)
  const failing = { ...slowFile(), read: () => Promise.reject(new Error('EIO')) }
  assert.is(await load(failing), 'Error: open file: must be a readable file, got "EIO"')
  const closed = { ...slowFile(), stat: () => Promise.reject(new Error('EBADF')) }
  assert.is(await load(closed), 'Error: open file: must be a readable file, got "EBADF"')
  assert.match(await load(slowFile(), { maxMemory: 1000 }), /^RangeError: open file: must have at most 1000 bytes/)
  const controller = new AbortController()
  const options = { signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) }
  assert.match(await load(slowFile(), options), 'enough')
})

test.run()
