/**
 * A data set small enough to train on within a test: 16 concepts (a colour and a shape), drawn in two styles to train
 * on and a third to validate on, as PNG files with COCO captions; and a configuration of a tiny model for it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'

const SIDE = 32
const COLOURS = { red: '#d22', green: '#2a3', blue: '#23d', yellow: '#ec2' }
const SHAPES: Record<string, (r: number) => string> = {
  circle: (r) => `<circle cx="16" cy="16" r="${r}"/>`,
  square: (r) => `<rect x="${16 - r}" y="${16 - r}" width="${2 * r}" height="${2 * r}"/>`,
  triangle: (r) => `<path d="M16 ${16 - r} L${16 + r} ${16 + r} L${16 - r} ${16 + r} Z"/>`,
  cross: (r) => `<path d="M16 ${16 - r} V${16 + r} M${16 - r} 16 H${16 + r}" stroke-width="6"/>`,
}
/** Half of the side of a shape, by style. */
const STYLES = [10, 13, 11.5]

export interface ShapeImage {
  id: number
  file_name: string
  concept: string
  keywords: string[]
}

export interface ShapeSet {
  images: ShapeImage[]
  annotations: { id: number; image_id: number; caption: string }[]
}

function shapeSet(style: number): ShapeSet {
  const set: ShapeSet = { images: [], annotations: [] }
  Object.keys(COLOURS).forEach((colour, c) => {
    Object.keys(SHAPES).forEach((shape, s) => {
      const id = 100 * style + 4 * c + s
      const concept = `${colour} ${shape}`
      set.images.push({ id, file_name: `${style}/${colour}-${shape}.png`, concept, keywords: [colour, shape] })
      set.annotations.push({ id, image_id: id, caption: concept })
    })
  })
  return set
}

const join2 = (a: ShapeSet, b: ShapeSet): ShapeSet => ({
  images: [...a.images, ...b.images],
  annotations: [...a.annotations, ...b.annotations],
})

/** Writes pictures and captions below `dir`: images/, train.json, validation.json. */
export async function drawShapes(dir: string): Promise<void> {
  for (const [style, r] of STYLES.entries()) {
    mkdirSync(join(dir, 'images', String(style)), { recursive: true })
    for (const [colour, paint] of Object.entries(COLOURS)) {
      for (const [shape, path] of Object.entries(SHAPES)) {
        const attributes = `xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}"`
        const svg = `<svg ${attributes} fill="${paint}" stroke="${paint}" stroke-width="1">${path(r)}</svg>`
        const png = await sharp(Buffer.from(svg)).flatten({ background: '#fff' }).png().toBuffer()
        writeFileSync(join(dir, 'images', String(style), `${colour}-${shape}.png`), png)
      }
    }
  }
  writeFileSync(join(dir, 'train.json'), JSON.stringify(join2(shapeSet(0), shapeSet(1))))
  writeFileSync(join(dir, 'validation.json'), JSON.stringify(shapeSet(2)))
}

/** A folder of their own with the shapes, removed when the process ends. */
export async function shapesFolder(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'bitgen-shapes-'))
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  await drawShapes(dir)
  return dir
}

/** The configuration of a run on the shapes, as its file would hold it; paths are relative to the folder of the data. */
export function shapeConfig(overrides: Record<string, unknown> = {}) {
  return {
    name: 'shapes',
    model: {
      preset: 'nano',
      image: SIDE,
      channels: 32,
      heads: 2,
      ffn: 32,
      textLayers: 2,
      fusionLayers: 1,
      decoderLayers: 1,
      slots: 4,
      vision: { hidden: 32, depth: 1, heads: 2, stem: [8, 16], storedImage: SIDE },
    },
    data: { images: 'images', train: 'train.json', validation: 'validation.json' },
    output: 'run',
    seed: 5,
    steps: 12,
    batch: 8,
    accumulate: 1,
    patience: 0,
    rate: 0.003,
    warmup: 2,
    concepts: true,
    episode: 4,
    losses: { imageContrast: 0.5 },
    queue: 12,
    maxTokens: 8,
    vocabulary: 'seen',
    centring: 16,
    evaluateEvery: 5,
    checkpointEvery: 4,
    ...overrides,
  }
}
