/**
 * `bitgen demo` (`npm start`): the model that comes along finds pictures for phrases and phrases for pictures, on
 * artwork by an artist that it never saw. Scores and times are measured now; the figures on the whole set of that
 * artist stand in the model's file, where its evaluation put them.
 */
import type { CAC } from 'cac'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readCaptions } from '../data/coco.ts'
import { decodeImage } from '../image/decode.ts'
import { DEFAULT_MODEL, type BitGen } from '../index.ts'
import { demoPage, type Demo, type Found } from './demo-page.ts'
import { figureRows, figureTable, recordedResult } from './figures.ts'
import { bytesText, count, table } from './format.ts'
import { attributions } from './info.ts'
import { MODEL_OPTION, openModel, scores, top } from './model.ts'
import { option, type Options } from './usage.ts'

/** Pictures of the held-out artist; they lie beside the model. */
const PICTURES = join(dirname(DEFAULT_MODEL), '../demo')
/** The set of a manifest's results that holds all drawings of this artist. */
const HELD_OUT = 'val_style'

/** What is asked for, and the pictures that a person would take, by name: first names, then what people also type. */
export const PHRASES: readonly [phrase: string, ...right: string[]][] = [
  ['a red apple', 'red apple'],
  ['a dog', 'dog face'],
  ['rocket', 'rocket'],
  ['a sailboat', 'sailboat'],
  ['soccer ball', 'soccer ball'],
  ['an umbrella', 'umbrella on ground'],
  ['something to drink', 'hot beverage'],
  ['music', 'guitar'],
  ['birthday party', 'birthday cake'],
  ['snow in winter', 'snowman'],
  ['a bird', 'owl', 'penguin'],
  ['fruit', 'red apple', 'watermelon'],
]
/** Every third picture is shown to the model: a dozen, chosen by no one. */
const EVERY = 3
const SHOWN = 3

export function addDemo(cli: CAC): void {
  cli
    .command('demo', 'Shows what the model finds in pictures by an artist it never saw, here and as a page')
    .usage('demo [options]')
    .option('--out <file>', 'Page to write; default build/demo/index.html')
    .option(...MODEL_OPTION)
    .action(async (options: Options) => {
      const out = resolve(option(options, 'out') ?? 'build/demo/index.html')
      const demo = await runDemo(await openModel(options))
      console.log(demoText(demo))
      mkdirSync(dirname(out), { recursive: true })
      writeFileSync(out, demoPage(demo))
      console.log(`\nThe same with pictures: ${out}\n${pathToFileURL(out)}`)
    })
}

/** Embeds phrases and pictures, one at a time so that the times are those of a single call. */
async function runDemo(model: BitGen): Promise<Demo> {
  const set = readCaptions(join(PICTURES, 'captions_demo.json'), join(PICTURES, 'images'))
  const pictures = set.map(({ path, captions }) => ({ name: captions[0], png: readFileSync(path) }))
  const decoded = await Promise.all(set.map(({ path }) => decodeImage(path)))
  const names = pictures.map(({ name }) => name)

  const images = await timed(decoded, async (pixels) => (await model.embedImage(pixels)).data)
  const phrases = await timed(
    PHRASES.map(([phrase]) => phrase),
    async (phrase) => (await model.embedText(phrase)).data,
  )
  const captions = await timed(names, async (name) => (await model.embedText(name)).data)

  const find = (query: Float32Array, gallery: Float32Array, isRight: (index: number) => boolean): Found[] => {
    const cosines = scores(query, gallery)
    return top(cosines, SHOWN).map((index) => ({ index, score: cosines[index], right: isRight(index) }))
  }
  const info = model.info()
  const result = recordedResult(info.manifest.results[HELD_OUT])
  return {
    info,
    pictures,
    asked: PHRASES.map(([phrase, ...right], i) => ({
      phrase,
      found: find(phrases.rows[i], flat(images.rows), (index) => right.includes(names[index])),
    })),
    shown: pictures.flatMap((_, picture) =>
      picture % EVERY === 0
        ? [{ picture, found: find(images.rows[picture], flat(captions.rows), (index) => index === picture) }]
        : [],
    ),
    milliseconds: { image: images.median, text: captions.median },
    figures: result && { images: result.images, rows: figureRows(info.name, result) },
    attributions: attributions(info.manifest),
    drawings: { artist: 'EmojiOne 2', licence: 'CC BY 4.0', url: 'https://github.com/EmojiTwo/emojitwo' },
  }
}

/** What `embed` gives for each item, and the median of its times in milliseconds, the first call left out. */
async function timed<T>(items: readonly T[], embed: (item: T) => Promise<Float32Array>) {
  const rows: Float32Array[] = []
  const times: number[] = []
  for (const item of items) {
    const start = performance.now()
    rows.push(await embed(item))
    times.push(performance.now() - start)
  }
  const sorted = times.slice(1).sort((a, b) => a - b)
  return { rows, median: sorted[sorted.length >> 1] }
}

function flat(rows: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(rows.length * rows[0].length)
  rows.forEach((row, i) => all.set(row, i * row.length))
  return all
}

/** The demo for a terminal of 100 columns. */
function demoText({ info, pictures, asked, shown, milliseconds, figures }: Demo): string {
  const mark = ({ right, score }: Found, name: string) => `${right ? '*' : ' '} ${score.toFixed(2)} ${name}`
  const name = ({ index }: Found) => pictures[index].name
  const results = (found: readonly Found[]) => found.map((one) => mark(one, name(one)))
  const facts = [
    `${info.name}: ${bytesText(info.fileBytes)}, ${count(info.parameters.total)} parameters`,
    `${info.isa} kernels, one thread: ${milliseconds.image.toFixed(1)} ms an image, ${milliseconds.text.toFixed(1)} ms a text`,
  ]
  const sections = [
    facts.join('\n'),
    'The artist of these pictures was never trained on. Best first, with the cosine; * is what a person would take.',
    table([['asked for', '1st', '2nd', '3rd'], ...asked.map(({ phrase, found }) => [phrase, ...results(found)])]),
    table([
      ['shown', '1st', '2nd', '3rd'],
      ...shown.map(({ picture, found }) => [pictures[picture].name, ...results(found)]),
    ]),
  ]
  if (figures) {
    sections.push(
      `All ${count(figures.images)} drawings of this artist, recall in percent (recorded when the model was made):\n` +
        figureTable(figures.rows),
    )
  }
  return sections.join('\n\n')
}
