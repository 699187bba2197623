/**
 * Proof by headless browsers: a page of a local server asks engine.js and posts what it reports. Chromium is started by
 * playwright-core, Firefox by its own command, with a profile of its own that asks for no network.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { ROOT } from '../../codegen/bundles.ts'
import type { Isa } from '../../src/abi.ts'
import { DEFAULT_MODEL } from '../../src/index.ts'
import type { Proof } from '../../targets/target.ts'
import { findChromium, findFirefox } from '../support/find-browser.ts'
import { judge, Unavailable, type Finding, type Report } from './way.ts'

const LIMIT_MS = 180_000

export async function proveByChromium({ isas }: Proof): Promise<Finding[]> {
  const executablePath = findChromium()
  if (!executablePath) throw new Unavailable('needs the Debian package chromium, or a path in CHROME')
  const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-component-update']
  return visit(isas, 'Chromium', async (address) => {
    const browser = await chromium.launch({ executablePath, args: [...flags, '--disable-background-networking'] })
    await (await browser.newPage()).goto(address)
    return () => browser.close()
  })
}

/** Nothing that Firefox does by itself: no questions, updates or reports. */
const QUIET = `user_pref('browser.shell.checkDefaultBrowser', false)
user_pref('browser.startup.homepage_override.mstone', 'ignore')
user_pref('datareporting.policy.dataSubmissionEnabled', false)
user_pref('app.update.enabled', false)
user_pref('app.normandy.enabled', false)
user_pref('network.captive-portal-service.enabled', false)
user_pref('network.connectivity-service.enabled', false)
`

export async function proveByFirefox({ isas }: Proof): Promise<Finding[]> {
  const path = findFirefox()
  if (!path) throw new Unavailable('needs the Debian package firefox-esr, or a path in FIREFOX')
  return visit(isas, 'Firefox', async (address) => {
    const profile = mkdtempSync(join(tmpdir(), 'bitgen-firefox-'))
    writeFileSync(join(profile, 'user.js'), QUIET)
    const browser = spawn(path, ['--headless', '--no-remote', '--profile', profile, address], { stdio: 'ignore' })
    const closed = new Promise((resolve) => browser.on('close', resolve))
    return async () => {
      browser.kill()
      await closed
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    }
  })
}

/** Opens a page that reports, and closes it; `open` answers how. */
async function visit(
  isas: readonly Isa[],
  name: string,
  open: (address: string) => Promise<() => Promise<unknown>>,
): Promise<Finding[]> {
  let posted!: (report: Report) => void
  let late!: NodeJS.Timeout
  const reported = new Promise<Report>((resolve, reject) => {
    posted = resolve
    late = setTimeout(() => reject(new Error(`${name} posted nothing for ${LIMIT_MS / 1000} s`)), LIMIT_MS)
  })
  const server = serve(isas, posted)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const close = await open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    try {
      const report = await reported
      const version = /(?:Firefox|Chrome)\/(\d+)/.exec(report.engine)?.[1]
      return judge(report, `${name} ${version} ${process.arch}`)
    } finally {
      await close()
    }
  } finally {
    clearTimeout(late)
    server.closeAllConnections()
    server.close()
  }
}

/** Serves the page, the scripts that it asks for and the model; hands what the page posts to `posted`. */
function serve(isas: readonly Isa[], posted: (report: Report) => void) {
  const page = `<!doctype html><script type="module">
    import { report } from '/test/verify/engine.js'
    const model = new Uint8Array(await (await fetch('/model')).arrayBuffer())
    const body = JSON.stringify(await report(model, ${JSON.stringify(isas)}))
    await fetch('/', { method: 'POST', body })
  </script>`
  return createServer((request, response) => {
    const path = request.url ?? ''
    const send = (type: string, body: string | Uint8Array) => response.setHeader('content-type', type).end(body)
    if (request.method === 'POST') {
      let body = ''
      request.on('data', (chunk) => (body += chunk))
      request.on('end', () => {
        response.end()
        posted(JSON.parse(body))
      })
    } else if (path === '/') send('text/html', page)
    else if (path === '/model') send('application/octet-stream', readFileSync(DEFAULT_MODEL))
    else if (/^\/(build|test\/verify)\/[\w-]+\.js$/.test(path)) send('text/javascript', readFileSync(join(ROOT, path)))
    else response.writeHead(404).end()
  })
}
