/**
 * The page of the benchmark as it is served, in a headless browser: it measures one target, stays responsive, shows every
 * row and gives a file of results; it asks for nothing outside of its folder. Skipped where there is no browser.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { chromium } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { sharesOf } from '../bench/compare.ts'
import { buildPage } from '../bench/page/build.ts'
import { readResults } from '../bench/results.ts'
import { findChromium } from './support/find-browser.ts'

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }
const LIMIT_MS = 240_000

const executablePath = findChromium()
if (!executablePath) console.log('skipped: no chromium or google-chrome on PATH, and no CHROME')
const check = executablePath ? test : test.skip

check('the page measures a target and gives its results', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bitgen-bench-page-'))
  await buildPage(folder)
  const server = createServer(({ url = '/' }, response) => {
    const file = url.replace(/\?.*/, '').replace(/^\/$/, '/index.html')
    try {
      const body = readFileSync(join(folder, file))
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  })
  try {
    const page = await browser.newPage()
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const complaints: string[] = []
    page.on('console', (line) => complaints.push(line.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('requestfailed', (request) => complaints.push(request.url()))
    page.on('request', (request) => {
      const isOwn = request.url().startsWith(address) || /^(blob|data):/.test(request.url())
      if (!isOwn) complaints.push(`asks for ${request.url()}`)
    })
    await page.goto(`${address}?target=simd128`)
    await page.check('#quick')
    await page.click('#start')
    await page.waitForSelector('#results tbody tr', { timeout: LIMIT_MS })
    assert.ok(await page.isDisabled('#start'))
    await page.waitForSelector('#files a', { timeout: LIMIT_MS })
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#files a')])
    assert.is(download.suggestedFilename(), 'bitgen-bench-simd128.json')
    const path = join(folder, 'results.json')
    await download.saveAs(path)
    const results = readResults(path)
    const { kernels, model } = results
    assert.match(kernels!.machine.engine, /Mozilla/)
    assert.is(await page.locator('#results tbody tr').count(), kernels!.rows.length + model!.calls.length)
    for (const { name, share } of sharesOf(results)) assert.ok(Number.isFinite(share) && share > 0, name)
    assert.equal(complaints, [])
  } finally {
    await browser.close()
    server.close()
    rmSync(folder, { recursive: true })
  }
})

test.run()
