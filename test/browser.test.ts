/**
 * A page with nothing but `bitgen/core`, in a headless browser and under a strict content security policy: it loads a
 * model by its address and gives the bits that Node gives, on every instruction set, and on two threads where the page
 * is isolated. Needs Chromium or Chrome on PATH,
 * or its path in the variable CHROME; skipped, saying so, where there is none.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { CORE } from '../codegen/bundles.ts'
import type { Isa } from '../src/abi.ts'
import { BitGen, DEFAULT_MODEL } from '../src/index.ts'
import { encodeText } from '../src/text/tokenizer.ts'
import { findChromium } from './support/find-browser.ts'
import { microModel } from './support/micro-model.ts'

const ROOT = join(import.meta.dirname, '..')
const PICTURE = join(ROOT, 'models/demo/images/cat-face.png')
const TEXT = 'a cat face'
/** What the page loads the model with; no target: what it chooses by itself. */
interface Task {
  target?: Isa
  threads?: number
}

const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"
/** What a page must be served with to have threads. */
const ISOLATED = {
  'content-security-policy': `${POLICY}; worker-src blob:`,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
}
const LIMIT_MS = 120_000

interface PageResult {
  error?: string
  isa: Isa
  threads: number
  loadMs: number
  progress: [loaded: number, total: number]
  text: number[]
  image: number[]
}

/** Serves files from memory and the built kernels; resolves `posted` with what the page sends. */
function serve(
  files: Record<string, [type: string, body: string | Uint8Array]>,
  policies: Record<string, string>,
  posted: (body: string) => void,
) {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url ?? ''
    if (request.method === 'POST') {
      let body = ''
      request.on('data', (chunk) => (body += chunk))
      request.on('end', () => {
        response.end()
        posted(body)
      })
      return
    }
    const kernels = /^\/build\/(kernels-\w+\.js)$/.exec(path)
    const file = kernels ? (['text/javascript', readFileSync(join(ROOT, 'build', kernels[1]))] as const) : files[path]
    if (!file) return void response.writeHead(404).end()
    const [type, body] = file
    const headers = { 'content-type': type, 'content-length': Buffer.byteLength(body) }
    response.writeHead(200, { ...headers, ...policies }).end(body)
  }
  return createServer(answer)
}

/** bitgen/core as the package has it, and the script of threads. */
async function bundledCore(): Promise<Uint8Array[]> {
  const { outputFiles } = await build({ ...CORE, sourcemap: false, write: false })
  return outputFiles.map(({ contents }) => contents)
}

const browserPath = findChromium()
if (!browserPath) console.log('skipped: no chromium, chromium-browser or google-chrome on PATH, and no CHROME')

/** What the page does, and what its console said that is no information. */
async function visit(executablePath: string, address: string, results: Promise<string>) {
  const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-component-update']
  const browser = await chromium.launch({ executablePath, args: [...flags, '--disable-background-networking'] })
  const complaints: string[] = []
  try {
    const page = await browser.newPage()
    page.on('console', (line) => line.type() !== 'info' && complaints.push(`${line.type()}: ${line.text()}`))
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(address)
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error(`no result; the page says ${JSON.stringify(complaints)}`)), LIMIT_MS).unref()
    })
    return { results: JSON.parse(await Promise.race([results, late])) as PageResult[], complaints }
  } finally {
    await browser.close()
  }
}

const check = browserPath ? test : test.skip

/** Checks that a page that is served with `policies` gives the bits of Node in every task; answers what it said of them. */
async function visitWith(policies: Record<string, string>, tasks: Task[]): Promise<PageResult[]> {
  const model = existsSync(DEFAULT_MODEL) ? new Uint8Array(readFileSync(DEFAULT_MODEL)) : await microModel()
  const node = await BitGen.load(model, { target: 'simd128' })
  const ids = encodeText(TEXT, node.info().manifest)
  const bitsOf = ({ data }: { data: Float32Array }) => Array.from(new Uint32Array(data.buffer))
  const text = bitsOf(await node.embedText(TEXT))
  const image = bitsOf(await node.embedImage(PICTURE))

  let posted!: (body: string) => void
  const [core, threads] = await bundledCore()
  const results = new Promise<string>((resolve) => (posted = resolve))
  const server = serve(
    {
      '/': ['text/html', '<!doctype html><script type="module" src="/page.js"></script>'],
      '/favicon.ico': ['image/x-icon', ''],
      '/page.js': ['text/javascript', readFileSync(join(import.meta.dirname, 'support/page.js'))],
      '/build/core.js': ['text/javascript', core],
      '/build/threads.js': ['text/javascript', threads],
      '/model': ['application/octet-stream', model],
      '/picture.png': ['image/png', readFileSync(PICTURE)],
      '/task': ['application/json', JSON.stringify({ tasks, ids })],
    },
    policies,
    posted,
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const seen = await visit(browserPath!, address, results)
    assert.equal(seen.complaints, [])
    seen.results.forEach((result, i) => {
      assert.is(result.error, undefined)
      assert.is(result.isa, tasks[i].target ?? 'relaxed')
      assert.equal(result.progress, [model.length, model.length])
      assert.equal(result.text, text, `text on ${result.isa}`)
      assert.equal(result.image, image, `image on ${result.isa}`)
      const { isa, threads, loadMs } = result
      console.log(
        `${tasks[i].target ?? 'by itself'}: ${isa} kernels, threads ${threads}, ${loadMs.toFixed(0)} ms to load`,
      )
    })
    assert.is(seen.results.length, tasks.length)
    return seen.results
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const threadsOf = (results: PageResult[]) => results.map(({ threads }) => threads)

check('a page with bitgen/core gives the bits of Node on every instruction set, on one thread', async () => {
  const targets: Task[] = [{}, { target: 'relaxed' }, { target: 'simd128' }, { target: 'scalar' }]
  const results = await visitWith({ 'content-security-policy': POLICY }, [...targets, { threads: 2 }])
  assert.equal(threadsOf(results), [1, 1, 1, 1, 1])
})

check('an isolated page gives them on two threads', async () => {
  const results = await visitWith(ISOLATED, [{ threads: 2 }, { target: 'simd128', threads: 2 }, { threads: 1 }])
  assert.equal(threadsOf(results), [2, 2, 1])
})

test.run()
