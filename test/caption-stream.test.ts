/**
 * What `model.caption()` gives, with generators made up here: one computation however it is read, the event loop between
 * ids, signals, failures, and a process that ends by itself.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { CaptionStream, type Caption, type CaptionWork } from '../src/runtime/caption.ts'
import type { Searching } from '../src/runtime/search.ts'

const MODULE = new URL('../src/runtime/caption.ts', import.meta.url).href
const RESULT = { ids: [1, 2, 3, 4], logProbability: -2, finished: true }
const CAPTION: Caption<string> = { ...RESULT, text: 'done' }
const PIECES = ['<1>', '<3>', '<4>', '<rest>']

/** Work that counts; id 2 completes no piece, and null is a breath. */
function fake(changes: Partial<CaptionWork<string>> = {}): { work: CaptionWork<string>; seen: (number | string)[] } {
  const seen: (number | string)[] = []
  function* ids(): Searching {
    for (const id of [1, null, 2, 3, null, 4]) {
      seen.push(id ?? 'breath')
      yield id
    }
    return RESULT
  }
  const work: CaptionWork<string> = {
    start() {
      seen.push('start')
      return ids()
    },
    piece: (id) => (id === 2 ? undefined : `<${id}>`),
    rest: () => '<rest>',
    caption: (result) => ({ ...result, text: 'done' }),
    ...changes,
  }
  return { work, seen }
}
const ALL = ['start', 1, 'breath', 2, 3, 'breath', 4]

async function read(stream: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = []
  for await (const piece of stream) pieces.push(piece)
  return pieces
}

const turns = (n: number) => new Promise((resolve) => setTimeout(resolve, n))

/** The error that a promise is rejected with. */
async function failure(promise: PromiseLike<unknown>): Promise<unknown> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw new Error(`must be rejected, got ${JSON.stringify(value)}`)
}

test('nothing is done before someone asks', async () => {
  const { work, seen } = fake()
  new CaptionStream(work)
  await turns(5)
  assert.equal(seen, [])
})

test('it can be awaited, and read, and both, for one computation', async () => {
  const readers: ((stream: CaptionStream<string>) => Promise<unknown>)[] = [
    async (stream) => assert.equal(await stream, CAPTION),
    async (stream) => assert.equal(await read(stream), PIECES),
    async (stream) => {
      assert.equal(await read(stream), PIECES)
      assert.equal(await stream, CAPTION)
      assert.equal(await stream, CAPTION)
    },
    async (stream) => {
      assert.equal(await stream, CAPTION)
      assert.equal(await read(stream), PIECES)
      assert.equal(await read(stream), PIECES)
    },
    async (stream) => assert.equal(await Promise.all([read(stream), stream, read(stream)]), [PIECES, CAPTION, PIECES]),
    async (stream) => {
      const slow: string[] = []
      const fast = read(stream)
      for await (const piece of stream) {
        slow.push(piece)
        await turns(2)
      }
      assert.equal([slow, await fast], [PIECES, PIECES])
    },
  ]
  for (const [i, reader] of readers.entries()) {
    const { work, seen } = fake()
    await reader(new CaptionStream(work))
    assert.equal(seen, ALL, `reader ${i}`)
  }
})

test('pieces arrive while the work goes on, no further than asked', async () => {
  const { work, seen } = fake()
  const seenAt: unknown[][] = []
  for await (const _ of new CaptionStream(work)) {
    await turns(5)
    seenAt.push([...seen])
  }
  assert.equal(seenAt, [ALL.slice(0, 2), ALL.slice(0, 5), ALL, ALL])
})

test('the start may take its time, and parts may be missing', async () => {
  const { work, seen } = fake()
  const start = async () => (await turns(2), work.start())
  assert.equal(await read(new CaptionStream({ ...work, start, rest: undefined })), PIECES.slice(0, 3))
  assert.equal(seen, ALL)
})

test('leaving stops the work; awaiting continues it', async () => {
  const { work, seen } = fake()
  const stream = new CaptionStream(work)
  for await (const piece of stream) if (piece === '<1>') break
  await turns(20)
  assert.equal(seen, ['start', 1])
  assert.equal(await stream, CAPTION)
  assert.equal(seen, ALL)
})

test('leaving does not stop it for others', async () => {
  const { work } = fake()
  const stream = new CaptionStream(work)
  const caption = Promise.resolve(stream)
  for await (const _ of stream) break
  assert.equal(await caption, CAPTION)
})

/** Work that never ends by itself. */
function endless(): { work: CaptionWork<string>; ids: () => number } {
  let ids = 0
  function* count(): Searching {
    for (;;) yield ids++
  }
  return { work: fake({ start: count }).work, ids: () => ids }
}

test('timers fire between ids, and a signal that one sends ends the work', async () => {
  const { work, ids } = endless()
  const control = new AbortController()
  const reason = new Error('enough')
  let fired = 0
  const timer = setInterval(() => {
    if (++fired === 5) control.abort(reason)
  }, 1)
  const stream = new CaptionStream(work, control.signal)
  assert.is(await failure(stream), reason)
  clearInterval(timer)
  assert.is(fired, 5)
  const done = ids()
  assert.ok(done > 5, `${done} ids`)
  await turns(10)
  assert.is(ids(), done)
  assert.is(await failure(stream), reason)
  assert.is(await failure(read(stream)), reason)
})

test('a signal ends a loop that reads', async () => {
  const { work, ids } = endless()
  const control = new AbortController()
  const pieces: string[] = []
  const loop = async () => {
    for await (const piece of new CaptionStream(work, control.signal)) {
      pieces.push(piece)
      if (pieces.length === 3) control.abort()
    }
  }
  const error = await failure(loop())
  assert.is(error, control.signal.reason)
  assert.is((error as Error).name, 'AbortError')
  assert.is(ids(), 4)
})

test('a signal during the start ends it, one that was sent before does no work, one after the end changes nothing', async () => {
  const { work, seen } = fake()
  const control = new AbortController()
  const start = async () => (control.abort('stop'), work.start())
  assert.is(await failure(new CaptionStream({ ...work, start }, control.signal)), 'stop')
  assert.equal(seen, ['start'])

  const none = fake()
  const before = new CaptionStream(none.work, AbortSignal.abort('never'))
  assert.is(await failure(before), 'never')
  assert.is(await failure(read(before)), 'never')
  assert.equal(none.seen, [])

  const late = new AbortController()
  const stream = new CaptionStream(fake().work, late.signal)
  await stream
  late.abort()
  assert.equal([await stream, await read(stream)], [CAPTION, PIECES])
})

test('failures reach every reader once the pieces before are read, and nobody else', async () => {
  const unhandled: unknown[] = []
  const note = (error: unknown) => void unhandled.push(error)
  process.on('unhandledRejection', note)
  const error = new Error('broken')
  const fail = () => {
    throw error
  }
  function* failing(): Searching {
    yield 1
    return fail()
  }
  for (const changes of [
    { start: fail },
    { start: () => Promise.reject(error) },
    { start: failing },
    { piece: fail },
    { rest: fail },
    { caption: fail },
  ]) {
    const { work } = fake(changes)
    new CaptionStream(work)
    const stream = new CaptionStream(work)
    const pieces: string[] = []
    const loop = async () => {
      for await (const piece of stream) pieces.push(piece)
    }
    assert.is(await failure(loop()), error)
    if (changes.start === failing) assert.equal(pieces, ['<1>'])
    assert.is(await failure(stream), error)
    await stream.then(undefined, (reason: unknown) => assert.is(reason, error))
  }
  await turns(10)
  process.off('unhandledRejection', note)
  assert.equal(unhandled, [])
})

test('a process ends by itself, with captions read, left and never asked for', () => {
  const script = `
    const { CaptionStream } = await import(${JSON.stringify(MODULE)})
    const make = (start) => new CaptionStream({ start, piece: (id) => id, caption: (result) => result })
    const ids = function* () { yield 1; yield null; yield 2; return { ids: [1, 2], logProbability: 0, finished: true } }
    make(() => { throw new Error('never asked for') })
    for await (const id of make(ids)) break
    console.log(JSON.stringify((await make(ids)).ids))
  `
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: join(import.meta.dirname, '..'),
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.is(status, 0, stderr)
  assert.is(stdout.trim(), '[1,2]')
})

test.run()
