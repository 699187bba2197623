/**
 * What the demo measures, and all of it now: phrases that find pictures, pictures with their captions and matches, and
 * things that are taught from one drawing and recognised in another artist's. The choice of pictures is fixed. Calls are
 * made one at a time, so that their times are those of a single call.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readCaptions } from '../data/coco.ts'
import { plainText } from '../evaluate/captions.ts'
import { decodeImage } from '../image/decode.ts'
import { DEFAULT_MODEL, type BitGen, type ModelInfo, type Pixels, type Recollection } from '../index.ts'
import { figureRows, recordedResult, type FigureRow } from './figures.ts'
import { attributions, type Attribution } from './info.ts'
import { timed } from './memory.ts'
import { scores, top } from './model.ts'

/** A drawing; its name is its caption. */
export interface Picture {
  name: string
  png: Uint8Array
}

/** A picture that a phrase found; `index` counts the pictures. */
export interface Found {
  index: number
  score: number
  /** Whether a person would have taken it. */
  right: boolean
}

/** A name as the model sees it on a picture. */
export interface Named {
  name: string
  cosine: number
  /** Probability that both belong together; absent where the model was trained to search alone. */
  match?: number
}

export interface Shown {
  picture: Picture
  own: Named
  /** Of the names of the other pictures, the one that is most like this picture. */
  other: Named
  said?: Said
}

export interface Said {
  text: string
  /** Whether it is the name of the picture, word for word. */
  right: boolean
}

/** One thing: taught from one drawing, asked for with another artist's. */
export interface Lesson {
  taught: Picture
  asked: Picture
  /** What the model made of the asked drawing before and after; nothing is recalled while nothing was taught. */
  before: { said: Said; recalled: Recollection | null }
  after: { said: Said; recalled: Recollection }
}

export interface Teaching {
  lessons: readonly Lesson[]
  /** From which similarity on something counts as taught, and how many of the pictures reach it, none of which was. */
  scope?: { threshold: number; mistaken: number }
  /** What the asked drawing of the first thing recalls once that is forgotten, and the time of forgetting. */
  forgotten: { recalled: Recollection | null; ms: number }
}

/** Milliseconds of a call: the first of this process, and the median of the others. */
export interface CallTime {
  call: string
  first: number
  median: number
}

export interface Demo {
  info: ModelInfo
  pictures: readonly Picture[]
  /** Pictures for a phrase, best first. */
  asked: readonly { phrase: string; found: readonly Found[] }[]
  shown: readonly Shown[]
  /** Absent where the model was trained to search alone. */
  teaching?: Teaching
  times: readonly CallTime[]
  /** On all drawings of the held-out artist; absent where the model's file does not have them. */
  figures?: { images: number; rows: readonly FigureRow[] }
  /** Whose artwork the model was trained on. */
  attributions: readonly Attribution[]
  /** Whose drawings are shown; the teacher's are those that things are taught from. */
  artist: Artist
  teacher: Artist
}

export interface Artist {
  name: string
  licence: string
  url: string
}

/** They lie beside the model. */
const FOLDER = join(dirname(DEFAULT_MODEL), '../demo')
const ARTIST: Artist = { name: 'EmojiOne 2', licence: 'CC BY 4.0', url: 'https://github.com/EmojiTwo/emojitwo' }
const TEACHER: Artist = { name: 'Noto Emoji', licence: 'Apache-2.0', url: 'https://github.com/googlefonts/noto-emoji' }
/** The set of a manifest's results that holds all drawings of the artist. */
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
const FOUND = 3
/** Every third picture is shown to the model: a dozen, chosen by no one. */
const EVERY = 3

/** Whether the model takes one name for a picture rather than another. */
export function isPreferred(one: Named, other: Named): boolean {
  return (one.match ?? one.cosine) > (other.match ?? other.cosine)
}

/** Whether the nearest of the things taught is the right one. */
export function isRecalled({ asked, after }: Lesson): boolean {
  return after.recalled.label === asked.name
}

type Drawing = Picture & { pixels: Pixels }

export async function runDemo(model: BitGen): Promise<Demo> {
  const info = model.info()
  const drawings = await readDrawings('captions_demo.json', 'images')
  const names = drawings.map(({ name }) => name)
  const clock = new Clock()

  const images = await clock.each('image', drawings, async ({ pixels }) => (await model.embedImage(pixels)).data)
  const embed = async (text: string) => (await model.embedText(text)).data
  const phrases = await clock.each('text', [...PHRASES.map(([phrase]) => phrase), ...names], embed)
  const captions = phrases.splice(PHRASES.length)

  const gallery = flat(images)
  const asked = PHRASES.map(([phrase, ...right], i) => {
    const cosines = scores(phrases[i], gallery)
    const found = top(cosines, FOUND).map((index) => ({
      index,
      score: cosines[index],
      right: right.includes(names[index]),
    }))
    return { phrase, found }
  })
  const search = drawings.flatMap((drawing, i) => {
    if (i % EVERY !== 0) return []
    const cosines = scores(images[i], flat(captions))
    const named = (index: number): Named => ({ name: names[index], cosine: cosines[index] })
    const [other] = top(cosines, 2).filter((index) => index !== i)
    return [{ drawing, own: named(i), other: named(other) }]
  })

  // A run that trains all losses leaves all of these parts; one for retrieval none.
  const isWhole = ['itm', 'memory', 'decoder'].every((part) => part in info.parameters)
  const shown = isWhole
    ? await readTogether(model, search, clock)
    : search.map(({ drawing, ...named }) => ({ picture: drawing, ...named }))
  const result = recordedResult(info.manifest.results[HELD_OUT])
  return {
    info,
    pictures: drawings,
    asked,
    shown,
    teaching: isWhole ? await teach(model, drawings, clock) : undefined,
    times: clock.times,
    figures: result && { images: result.images, rows: figureRows(info.name, result) },
    attributions: attributions(info.manifest),
    artist: ARTIST,
    teacher: TEACHER,
  }
}

/** The pictures with their captions, and how well both names match. */
async function readTogether(
  model: BitGen,
  search: readonly { drawing: Drawing; own: Named; other: Named }[],
  clock: Clock,
): Promise<Shown[]> {
  const said = await clock.each('caption', search, ({ drawing }) => say(model, drawing))
  const pairs = search.flatMap(({ drawing, own, other }) => [own, other].map(({ name }) => ({ drawing, name })))
  const matches = await clock.each('match', pairs, ({ drawing, name }) => model.match(drawing.pixels, name))
  return search.map(({ drawing, own, other }, i) => ({
    picture: drawing,
    own: { ...own, match: matches[2 * i][0] },
    other: { ...other, match: matches[2 * i + 1][0] },
    said: said[i],
  }))
}

/** Teaches all things, asks for each with the other artist's drawing, and forgets the first again. */
async function teach(model: BitGen, others: readonly Drawing[], clock: Clock): Promise<Teaching> {
  const { memory } = model
  const taught = await readDrawings('captions_taught.json', 'taught')
  const asked = await readDrawings('captions_asked.json', 'asked')
  const recall = ({ pixels }: Drawing) => memory.recall({ image: pixels })

  const before: Lesson['before'][] = []
  for (const drawing of asked) before.push({ recalled: await recall(drawing), said: await say(model, drawing) })
  const written = await clock.each('write', taught, ({ pixels, name }) => memory.write({ image: pixels, label: name }))
  const recalled = await clock.each('recall', asked, recall)
  const lessons: Lesson[] = []
  for (const [i, drawing] of asked.entries()) {
    const after = { recalled: recalled[i]!, said: await say(model, drawing) }
    lessons.push({ taught: taught[i], asked: drawing, before: before[i], after })
  }

  const threshold = model.info().manifest.scope?.image
  let mistaken = 0
  for (const other of others) if ((await recall(other))?.inScope) mistaken++
  const { ms } = await timed(async () => memory.forget(written[0].id))
  return {
    lessons,
    scope: threshold === undefined ? undefined : { threshold, mistaken },
    forgotten: { recalled: await recall(asked[0]), ms },
  }
}

/** The greedy caption. */
async function say(model: BitGen, { pixels, name }: Drawing): Promise<Said> {
  const { text } = await model.caption(pixels)
  return { text: text || '(nothing)', right: plainText(text) === plainText(name) }
}

/** The pictures of a captions file, decoded. */
async function readDrawings(file: string, folder: string): Promise<Drawing[]> {
  const set = readCaptions(join(FOLDER, file), join(FOLDER, folder))
  return Promise.all(
    set.map(async ({ path, captions: [name] }) => ({ name, png: readFileSync(path), pixels: await decodeImage(path) })),
  )
}

/** Keeps the times of calls, in the order of their first use. */
class Clock {
  readonly times: CallTime[] = []

  /** What `call` gives for each item, one after the other. */
  async each<T, R>(name: string, items: readonly T[], call: (item: T) => Promise<R>): Promise<R[]> {
    const values: R[] = []
    const times: number[] = []
    for (const item of items) {
      const { value, ms } = await timed(() => call(item))
      values.push(value)
      times.push(ms)
    }
    const [first, ...rest] = times
    rest.sort((a, b) => a - b)
    this.times.push({ call: name, first, median: rest[rest.length >> 1] })
    return values
  }
}

function flat(rows: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(rows.length * rows[0].length)
  rows.forEach((row, i) => all.set(row, i * row.length))
  return all
}
