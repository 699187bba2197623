/**
 * The list of emoji with what people call them: one name, alternative names and keywords for each code point, joined
 * from five packages. Second stage of the emoji corpus. English only; a name is a caption of two words on average.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorText, message } from '../../base/errors.ts'
import { groupOf, sideOf } from './groups.ts'

export interface Concept {
  /** Code points in lower case, joined by `-`, without FE0F: `1f408-200d-2b1b`. */
  code: string
  name: string
  /** Other whole names, best first; safe as training captions. */
  alternatives: string[]
  keywords: string[]
}

/** The code of an emoji given as characters. */
export function codeOf(emoji: string): string {
  const points = Array.from(emoji, (character) => character.codePointAt(0)!.toString(16).padStart(4, '0'))
  return points.filter((point) => point !== 'fe0f').join('-')
}

/** A hexadecimal sequence in the form of codeOf: `0023-FE0F-20E3` becomes `0023-20e3`. */
export function codeOfHex(hex: string): string {
  return hex
    .toLowerCase()
    .split('-')
    .filter((point) => point !== 'fe0f')
    .map((point) => point.padStart(4, '0'))
    .join('-')
}

/** A JSON file of an installed package. */
export function readJson<T>(modules: string, file: string): T {
  try {
    return JSON.parse(readFileSync(join(modules, file), 'utf8')) as T
  } catch (error) {
    throw new Error(message('emoji', `${file} must be a readable JSON file of its package: ${errorText(error)}`))
  }
}

interface Words {
  names: string[]
  keywords: string[]
}

/** Code -> names and keywords: emojibase, OpenMoji, CLDR, emojilib, then the short codes of chat programs. */
function collectWords(modules: string): Map<string, Words> {
  const words = new Map<string, Words>()
  const add = (code: string, names: readonly string[], keywords: readonly string[]) => {
    const known = words.get(code) ?? { names: [], keywords: [] }
    known.names.push(...names)
    known.keywords.push(...keywords)
    words.set(code, known)
  }
  const emojibase = readJson<{ hexcode: string; label: string; tags?: string[] }[]>(
    modules,
    'emojibase-data/en/data.json',
  )
  for (const entry of emojibase) add(codeOfHex(entry.hexcode), [entry.label], entry.tags ?? [])
  const openmoji = readJson<{ hexcode: string; annotation: string; tags: string; openmoji_tags: string }[]>(
    modules,
    'openmoji/data/openmoji.json',
  )
  for (const { hexcode, annotation, tags, openmoji_tags } of openmoji) {
    add(codeOfHex(hexcode), [annotation], `${tags},${openmoji_tags}`.split(','))
  }
  const cldr = readJson<{ annotations: { annotations: Record<string, { default?: string[]; tts?: string[] }> } }>(
    modules,
    'cldr-annotations-full/annotations/en/annotations.json',
  )
  for (const [emoji, entry] of Object.entries(cldr.annotations.annotations)) {
    add(codeOf(emoji), entry.tts ?? [], entry.default ?? [])
  }
  const emojilib = readJson<Record<string, string[]>>(modules, 'emojilib/dist/emoji-en-US.json')
  for (const [emoji, [name, ...keywords]] of Object.entries(emojilib)) add(codeOf(emoji), [name], keywords)
  for (const set of ['emojibase', 'github', 'iamcal']) {
    const shortcodes = readJson<Record<string, string | string[]>>(modules, `emojibase-data/en/shortcodes/${set}.json`)
    for (const [hex, codes] of Object.entries(shortcodes)) add(codeOfHex(hex), [codes].flat(), [])
  }
  return words
}

/** Distinct phrases of letters, at least three of them, spaces for underscores, without those in `known`. */
export function cleanPhrases(phrases: readonly string[], known: readonly string[] = []): string[] {
  const seen = new Set(known.map((phrase) => phrase.toLowerCase()))
  const kept: string[] = []
  for (const phrase of phrases) {
    const text = phrase.replaceAll('_', ' ').replaceAll('’', "'").replace(/\s+/g, ' ').trim()
    const usable = /^[\p{L}\d][\p{L}\d '.,:&!()-]*$/u.test(text) && /\p{L}{3}/u.test(text) && text.length <= 48
    if (!usable || seen.has(text.toLowerCase())) continue
    seen.add(text.toLowerCase())
    kept.push(text)
  }
  return kept
}

/**
 * All concepts but flags (skin tones are no concepts of the list), in the order of Unicode.
 * An alternative is dropped where it is the name of another concept, or where its group is unseen and the concept
 * is not: words of the unseen names would leak.
 */
export function readConcepts(modules: string): Concept[] {
  const words = collectWords(modules)
  const list = readJson<Record<string, { name: string; group: string }>>(
    modules,
    'unicode-emoji-json/data-by-emoji.json',
  )
  const entries = Object.entries(list).filter(([, entry]) => entry.group !== 'Flags')
  const unseen = new Set(entries.map(([, { name }]) => groupOf(name)).filter((group) => sideOf(group) === 'unseen'))
  const taken = new Set(entries.map(([, { name }]) => name))
  return entries.map(([emoji, { name }]) => {
    const code = codeOf(emoji)
    const { names, keywords } = words.get(code) ?? { names: [], keywords: [] }
    const alternatives = cleanPhrases(names, [name]).filter(
      (text) => !taken.has(text) && (sideOf(name) !== 'seen' || !unseen.has(groupOf(text))),
    )
    return { code, name, alternatives, keywords: cleanPhrases(keywords, [name, ...alternatives]) }
  })
}
