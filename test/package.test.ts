/**
 * The package as users get it: packed, installed into an empty folder, used by plain Node through both entry points,
 * by its command, and by TypeScript. Needs a registry for the two dependencies; skipped, saying so, where there is none.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ISAS } from '../src/abi.ts'
import { errorText } from '../src/base/errors.ts'
import { BitGen } from '../src/index.ts'
import { encodeText } from '../src/text/tokenizer.ts'
import { decodeImage } from '../src/image/decode.ts'

const ROOT = join(import.meta.dirname, '..')
const PICTURE = join(ROOT, 'models/demo/images/cat-face.png')
const TEXT = 'a cat face'
/** Bytes: what would only be passed by something that does not belong there; kernels with their manifest, in base64. */
const MOST = { tarball: 4e6, coreGzip: 26e3, kernelsGzip: 23e3, trainingGzip: 43e3 }
/** All that a package consists of. */
const BELONGS = [
  /^package\.json$/,
  /^(README|CHANGELOG|ATTRIBUTION)\.md$/,
  /^LICENSE$/,
  /^build\/(core|threads|index|cli|chunk-\w+|kernels-\w+(-training)?)\.js$/,
  /^build\/core\.js\.map$/,
  /^build\/types\/.*\.d\.ts$/,
  /^build\/sources\/package(-lock)?\.json$/,
  /^models\/emoji-nano\/model\.safetensors$/,
  /^models\/demo\/(ATTRIBUTION\.md|LICENSE-Apache-2\.0\.txt|captions_\w+\.json|(images|taught|asked)\/[\w-]+\.png)$/,
]

interface Packed {
  filename: string
  size: number
  unpackedSize: number
  files: { path: string }[]
}

const folder = mkdtempSync(join(tmpdir(), 'bitgen-package-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const app = join(folder, 'app')
mkdirSync(app)
writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }\n')

function run(command: string, args: string[], cwd: string): string {
  // Variables of an npm that runs this test would speak of this repository; a forced target would choose kernels.
  const keep = Object.entries(process.env).filter(
    ([name]) => !/^npm_(?!config_registry)|^BITGEN_|^NODE_OPTIONS$/i.test(name),
  )
  const shell = process.platform === 'win32' && command !== process.execPath
  return execFileSync(command, args, {
    cwd,
    shell,
    env: Object.fromEntries(keep),
    encoding: 'utf8',
    stdio: 'pipe',
    maxBuffer: 2 ** 24,
  })
}

/** Why the dependencies cannot be had here. */
function registryProblem(): string | undefined {
  try {
    run('npm', ['view', 'gpt-tokenizer@4.0.0', 'version', '--fetch-retries=0', '--fetch-timeout=20000'], app)
    return undefined
  } catch (error) {
    return (
      errorText(error)
        .split('\n')
        .find((line) => /npm error code|ENO|ETIMEDOUT/.test(line)) ?? 'npm view fails'
    )
  }
}

const problem = registryProblem()
if (problem) console.log(`skipped: no registry for the package's dependencies (${problem})`)
const check = problem ? test.skip : test

let packed: Packed

test('packs what belongs there and nothing else, of the size that it should have', () => {
  // The build that comes before prints on the same stream.
  const output = run('npm', ['pack', '--json', '--pack-destination', folder], ROOT)
  ;[packed] = JSON.parse(output.slice(output.lastIndexOf('\n[\n') + 1)) as Packed[]
  const paths = packed.files.map(({ path }) => path)
  assert.equal(
    paths.filter((path) => !BELONGS.some((pattern) => pattern.test(path))),
    [],
  )
  const missing = BELONGS.filter((pattern) => !paths.some((path) => pattern.test(path)))
  assert.equal(missing.map(String), [])
  const gzip = (file: string) => gzipSync(readFileSync(join(ROOT, 'build', file)), { level: 9 }).length
  const kernels = ISAS.map((isa) => [isa, gzip(`kernels-${isa}.js`), gzip(`kernels-${isa}-training.js`)] as const)
  const core = gzip('core.js')
  console.log(`tarball ${packed.size} bytes, unpacked ${packed.unpackedSize}, ${paths.length} files`)
  console.log(
    `gzip: core.js ${core}, kernels ${kernels.map(([isa, bytes, all]) => `${isa} ${bytes}, with training ${all}`).join('; ')}`,
  )
  assert.ok(packed.size < MOST.tarball, `tarball: ${packed.size}`)
  assert.ok(core < MOST.coreGzip, `core.js: ${core}`)
  for (const [isa, bytes, all] of kernels) {
    assert.ok(bytes < MOST.kernelsGzip, `${isa}: ${bytes}`)
    assert.ok(all < MOST.trainingGzip, `${isa} with training: ${all}`)
  }
})

check('installs into an empty folder, with two dependencies', () => {
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', join(folder, packed.filename)], app)
  const { dependencies } = JSON.parse(readFileSync(join(app, 'node_modules/bitgen/package.json'), 'utf8'))
  assert.equal(Object.keys(dependencies), ['gpt-tokenizer', 'sharp'])
})

check('both entry points embed with the shipped model, with the numbers of the sources', async () => {
  copyFileSync(PICTURE, join(app, 'cat.png'))
  const model = await BitGen.load()
  const expected = {
    text: Array.from((await model.embedText(TEXT)).data),
    image: Array.from((await model.embedImage(PICTURE)).data),
  }
  const { data, width, height } = await decodeImage(PICTURE)
  writeFileSync(join(app, 'pixels.json'), JSON.stringify({ data: Array.from(data), width, height }))
  writeFileSync(join(app, 'ids.json'), JSON.stringify(encodeText(TEXT, model.info().manifest)))
  writeFileSync(
    join(app, 'node.js'),
    `import { BitGen } from 'bitgen'
     const model = await BitGen.load()
     const [text, image] = [await model.embedText('${TEXT}'), await model.embedImage('cat.png')]
     console.log(JSON.stringify({ text: Array.from(text.data), image: Array.from(image.data) }))`,
  )
  writeFileSync(
    join(app, 'core.js'),
    `import { readFileSync } from 'node:fs'
     import { BitGen } from 'bitgen/core'
     const [ids, pixels] = ['ids.json', 'pixels.json'].map((file) => JSON.parse(readFileSync(file, 'utf8')))
     const bytes = readFileSync(new URL(import.meta.resolve('bitgen/models/emoji-nano/model.safetensors')))
     const model = await BitGen.load(bytes)
     const image = await model.embedImage({ ...pixels, data: Uint8Array.from(pixels.data), channels: 3 })
     const text = await model.embedText(ids)
     console.log(JSON.stringify({ text: Array.from(text.data), image: Array.from(image.data) }))`,
  )
  for (const script of ['node.js', 'core.js']) {
    assert.equal(JSON.parse(run(process.execPath, [script], app)), expected, script)
  }
})

check('the command works, from its shim', () => {
  const output = run('npx', ['--no-install', 'bitgen', 'info'], app)
  assert.match(output, /^kernels|\n\s*kernels\s+(scalar|simd128|relaxed)/)
  assert.match(output, /parameters/)
})

for (const [resolution, module] of [
  ['nodenext', 'nodenext'],
  ['bundler', 'esnext'],
]) {
  check(`TypeScript compiles a user of it, types of the package checked too: ${resolution}`, () => {
    copyFileSync(join(import.meta.dirname, 'support/consumer.mts'), join(app, 'consumer.mts'))
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2023,dom', '--types', '']
    try {
      run(
        process.execPath,
        [tsc, ...options, '--module', module, '--moduleResolution', resolution, 'consumer.mts'],
        app,
      )
    } catch (error) {
      throw new Error((error as { stdout?: string }).stdout || errorText(error))
    }
  })
}

test.run()
