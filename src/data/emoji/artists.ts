/**
 * The artists of the emoji corpus: where their drawings lie in the installed packages, how those join the concepts,
 * and under which licence they may be used. Third stage. Sets without code points join by name; what does not join
 * is left out (30 % of Streamline, 45 % of Firefox OS).
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOfHex, readJson, type Concept } from './concepts.ts'

export interface Artist {
  /** Folder of the images and value of `artist` in the COCO files. */
  id: string
  title: string
  author: string
  url: string
  licence: string
  package: string
  drawings(modules: string, concepts: readonly Concept[]): Drawing[]
}

export interface Drawing {
  concept: Concept
  svg: string
}

interface Icon {
  body: string
  width?: number
  height?: number
  left?: number
  top?: number
}

interface IconSet {
  icons: Record<string, Icon>
  aliases?: Record<string, { parent: string }>
  width?: number
  height?: number
}

/** The icon as a file of its own (Iconify: a body, and a view box with defaults in the set and 16 after that). */
function iconSvg(set: IconSet, icon: Icon): string {
  const width = icon.width ?? set.width ?? 16
  const height = icon.height ?? set.height ?? 16
  const box = `${icon.left ?? 0} ${icon.top ?? 0} ${width} ${height}`
  const open = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"`
  return `${open} width="${width}" height="${height}" viewBox="${box}">${icon.body}</svg>`
}

/** What two spellings of one name share: lower-case letters and digits. */
function nameKey(name: string): string {
  return name
    .normalize('NFD')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
}

/**
 * Drawings of an Iconify set by name. First the names of all concepts, then their alternatives, so that an icon goes
 * to the concept that it names best; an icon is used once. Of numbered icons (`baby-1`, `baby-2`) the first counts;
 * those in `without` show something else than their name.
 */
function byName(folder: string, without: readonly string[] = []): Artist['drawings'] {
  return (modules, concepts) => {
    const set = readJson<IconSet>(modules, `@iconify-json/${folder}/icons.json`)
    const icons = new Map<string, string>()
    const list = (name: string, icon: string) => {
      const key = nameKey(name)
      if (!icons.has(key)) icons.set(key, icon)
    }
    for (const name of without) delete set.icons[name]
    for (const name of Object.keys(set.icons)) list(name, name)
    for (const [name, { parent }] of Object.entries(set.aliases ?? {})) list(name, parent)
    for (const name of Object.keys(set.icons)) list(name.replace(/-1$/, ''), name)

    const found = new Map<Concept, string>()
    const used = new Set<string>()
    const take = (concept: Concept, name: string) => {
      const icon = icons.get(nameKey(name))
      if (icon === undefined || used.has(icon) || found.has(concept)) return
      found.set(concept, icon)
      used.add(icon)
    }
    for (const concept of concepts) take(concept, concept.name)
    for (const concept of concepts) for (const name of concept.alternatives) take(concept, name)

    return concepts.flatMap((concept) => {
      const icon = found.get(concept)
      return icon === undefined ? [] : [{ concept, svg: iconSvg(set, set.icons[icon]) }]
    })
  }
}

/** Drawings of an Iconify set that lists its code points in chars.json. */
function byCode(folder: string): Artist['drawings'] {
  return (modules, concepts) => {
    const set = readJson<IconSet>(modules, `@iconify-json/${folder}/icons.json`)
    const chars = readJson<Record<string, string>>(modules, `@iconify-json/${folder}/chars.json`)
    return concepts.flatMap((concept) => {
      // Keycaps are listed without the leading zeros of the code.
      const icon = set.icons[chars[concept.code] ?? chars[concept.code.replace(/^0+/, '')]]
      return icon ? [{ concept, svg: iconSvg(set, icon) }] : []
    })
  }
}

/** Drawings that are SVG files named by code point; the artists differ in where they write FE0F and zeros. */
function byFile(folder: string): Artist['drawings'] {
  return (modules, concepts) => {
    const files = readdirSync(join(modules, folder)).filter((file) => /^[0-9a-f-]+\.svg$/i.test(file))
    const byCode = new Map(files.map((file) => [codeOfHex(file.slice(0, -4)), join(modules, folder, file)]))
    return concepts.flatMap((concept) => {
      const path = byCode.get(concept.code)
      return path ? [{ concept, svg: readFileSync(path, 'utf8') }] : []
    })
  }
}

const GOOGLE = { author: 'Google Inc', url: 'https://github.com/googlefonts/noto-emoji', licence: 'Apache-2.0' }
const OPENMOJI = { author: 'OpenMoji authors', url: 'https://openmoji.org', licence: 'CC-BY-SA-4.0' }

/** In the order of the training split. */
export const ARTISTS: readonly Artist[] = [
  { id: 'noto', title: 'Noto Emoji', ...GOOGLE, package: '@iconify-json/noto', drawings: byCode('noto') },
  { id: 'noto-v1', title: 'Noto Emoji (v1)', ...GOOGLE, package: '@iconify-json/noto-v1', drawings: byName('noto-v1') },
  {
    id: 'twemoji',
    title: 'Twemoji',
    author: 'Twitter, Inc and other contributors',
    url: 'https://github.com/jdecked/twemoji',
    licence: 'CC-BY-4.0',
    package: '@twemoji/svg',
    drawings: byFile('@twemoji/svg'),
  },
  {
    id: 'openmoji',
    title: 'OpenMoji',
    ...OPENMOJI,
    package: 'openmoji',
    drawings: byFile('openmoji/color/svg'),
  },
  {
    id: 'openmoji-black',
    title: 'OpenMoji (black)',
    ...OPENMOJI,
    package: 'openmoji',
    drawings: byFile('openmoji/black/svg'),
  },
  {
    id: 'streamline',
    title: 'Streamline Emojis',
    author: 'Streamline',
    url: 'https://github.com/webalys-hq/streamline-vectors',
    licence: 'CC-BY-4.0',
    package: '@iconify-json/streamline-emojis',
    // Its `japan` is the flag, where other artists draw the map.
    drawings: byName('streamline-emojis', ['japan']),
  },
  {
    id: 'fxemoji',
    title: 'Firefox OS Emoji',
    author: 'Mozilla',
    url: 'https://github.com/mozilla/fxemoji',
    licence: 'Apache-2.0',
    package: '@iconify-json/fxemoji',
    drawings: byName('fxemoji'),
  },
  {
    id: 'emojione',
    title: 'Emoji One (Colored)',
    author: 'Emoji One',
    url: 'https://github.com/EmojiTwo/emojitwo',
    licence: 'CC-BY-4.0',
    package: '@iconify-json/emojione',
    drawings: byName('emojione'),
  },
]
