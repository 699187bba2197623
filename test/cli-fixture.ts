/**
 * What the tests of the commands share: a folder with pictures and captions made here, configurations of a tiny model,
 * and running a command in this process.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import * as assert from 'uvu/assert'
import { run } from '../src/cli/program.ts'

/** Removed by the test that imports this. */
export const dir = mkdtempSync(join(tmpdir(), 'bitgen-cli-'))
export const at = (...parts: string[]) => join(dir, ...parts)
/** Where trainModel exports to. */
export const MODEL = at('model.safetensors')

/** Runs a command in this process. */
export async function bitgen(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const streams = [process.stdout, process.stderr]
  const written = ['', '']
  const writes = streams.map((stream) => stream.write)
  streams.forEach((stream, i) => {
    stream.write = (chunk: string | Uint8Array) => {
      written[i] += String(chunk)
      return true
    }
  })
  try {
    const code = await run(args)
    return { code, out: written[0], err: written[1] }
  } finally {
    streams.forEach((stream, i) => (stream.write = writes[i]))
  }
}

/** Runs a command that must succeed and returns what it printed. */
export async function good(...args: string[]): Promise<string> {
  const { code, out, err } = await bitgen(...args)
  assert.is(code, 0, err)
  return out
}

const COLOURS = { red: '#e02020', green: '#20a040', blue: '#2040e0', black: '#101010' }
const SHAPES = {
  square: '<rect x="8" y="8" width="24" height="24"/>',
  disc: '<circle cx="20" cy="20" r="13"/>',
}

export interface Entry {
  file: string
  captions: string[]
}

/** Eight pictures, half of them in a folder of their own; the first has two captions. */
async function draw(): Promise<Entry[]> {
  mkdirSync(at('images', 'more'), { recursive: true })
  const entries: Entry[] = []
  for (const [colour, fill] of Object.entries(COLOURS)) {
    for (const [shape, element] of Object.entries(SHAPES)) {
      const file = `${shape === 'disc' ? 'more/' : ''}${colour}-${shape}.png`
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" fill="${fill}">${element}</svg>`
      await sharp(Buffer.from(svg)).flatten({ background: '#ffffff' }).png().toFile(at('images', file))
      entries.push({ file, captions: [`${colour} ${shape}`] })
    }
  }
  entries[0].captions.push('the first')
  return entries
}

export function writeCaptions(name: string, entries: readonly Entry[]): string {
  const images = entries.map(({ file }, i) => ({ id: i + 1, file_name: file }))
  const annotations = entries.flatMap(({ captions }, i) => captions.map((caption) => ({ image_id: i + 1, caption })))
  writeFileSync(at(name), JSON.stringify({ images, annotations }))
  return at(name)
}

export const entries = await draw()
export const ANNOTATIONS = writeCaptions('captions.json', entries)
writeCaptions('train.json', entries.slice(0, 6))
writeCaptions('validation.json', entries.slice(6))

export function writeConfig(name: string, changes: object): string {
  const vision = { hidden: 32, depth: 1, heads: 2, stem: [8, 8, 8], storedImage: 32 }
  const sizes = { channels: 32, heads: 2, ffn: 32, textLayers: 1, fusionLayers: 1, maxLength: 16, image: 32 }
  const config = {
    name,
    model: { preset: 'nano', ...sizes, imagePool: 'mean', vision },
    data: { images: 'images', train: 'train.json', validation: 'validation.json' },
    output: name,
    steps: 3,
    batch: 4,
    accumulate: 1,
    queue: 0,
    maxTokens: 16,
    centring: 8,
    vocabulary: 'seen',
    evaluateEvery: 200,
    ...changes,
  }
  writeFileSync(at(`${name}.json`), JSON.stringify(config))
  return at(`${name}.json`)
}

export function checkpoints(run: string): string[] {
  return existsSync(at(run, 'checkpoints')) ? readdirSync(at(run, 'checkpoints')).sort() : []
}
