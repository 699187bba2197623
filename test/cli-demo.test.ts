/**
 * `bitgen demo` as a person calls it, with models that know nothing: what it prints and writes is compared with what the
 * library says of the same pictures. And its pictures: what is taught is asked for, by another artist.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { PHRASES } from '../src/cli/demo-run.ts'
import { BitGen } from '../src/index.ts'
import { at, dir, good, MODEL } from './cli-fixture.ts'
import { microModel, RETRIEVAL } from './support/micro-model.ts'

const DEMO = fileURLToPath(new URL('../models/demo/', import.meta.url))

/** Names, concepts and artists of a captions file of the demo. */
function drawn(file: string): { name: string; concept: string; artist: string; path: string }[] {
  const { images, annotations } = JSON.parse(readFileSync(`${DEMO}captions_${file}.json`, 'utf8'))
  return images.map(({ id, file_name: path, concept, artist }: Record<string, string>) => {
    const { caption: name } = annotations.find(({ image_id }: { image_id: string }) => image_id === id)
    return { name, concept, artist, path: `${DEMO}${file === 'demo' ? 'images' : file}/${path}` }
  })
}

/** Runs the demo: what it prints, without the place of its page, and the page, which must need nothing else. */
async function demoOf(model: Uint8Array): Promise<{ out: string; html: string; pictures: number }> {
  const page = at('page', 'index.html')
  writeFileSync(MODEL, model)
  const printed = await good('demo', '--model', MODEL, '--out', page)
  const [out, place] = printed.split('\nAll of it with pictures: ')
  assert.match(place, page)
  for (const line of out.split('\n')) assert.ok(line.length <= 80, line)
  const html = readFileSync(page, 'utf8')
  const sources = [...html.matchAll(/src="([^"]*)"/g)].map(([, source]) => source)
  assert.ok(sources.every((source) => source.startsWith('data:image/png;base64,')))
  assert.not.match(html, /<script|<link|@import|url\(/)
  for (const [phrase] of PHRASES) assert.match(html, `<h3>${phrase}</h3>`)
  return { out, html, pictures: sources.length }
}

test('the demo searches, captions, matches and teaches, and prints what the library says', async () => {
  const bytes = await microModel()
  const { out, html, pictures } = await demoOf(bytes)
  assert.is(pictures, 12 * 3 + 12 + 5 * 2)
  const model = await BitGen.load(bytes)
  const [dog, cat] = drawn('demo')
  const [match] = await model.match(dog.path, dog.name)
  assert.match(out, new RegExp(`^  ${dog.name} .* ${(100 * match).toFixed(0)} `, 'm'))
  assert.match(html, `<span>${dog.name}</span><b>${(100 * match).toFixed(0)} %`)
  assert.not.match(out, new RegExp(`^  ${cat.name} `, 'm'))

  for (const { path, name } of drawn('taught')) await model.memory.write({ image: path, label: name })
  let right = 0
  for (const { path, name } of drawn('asked')) {
    const { label, similarity } = (await model.memory.recall({ image: path }))!
    if (label === name) right++
    assert.match(out, new RegExp(`^  ${name} .* ${similarity.toFixed(2)} ${label.slice(0, 10)}`, 'm'))
    assert.match(html, `<span>${label}</span><b>${similarity.toFixed(2)}`)
  }
  assert.match(out, `Nearest right: ${right} of 5`)
  assert.match(html, `<strong>${right} of 5</strong>`)
  model.memory.forget(model.memory.list()[0].id)
  const { similarity } = (await model.memory.recall({ image: drawn('asked')[0].path }))!
  assert.match(out, new RegExp(`its drawing recalls ${similarity.toFixed(2)} `))
  assert.not.match(out, 'In brackets')
})

test('the demo says what is in scope', async () => {
  for (const [image, mistaken, answer] of [
    [-2, 36, /^  banana .*\.\d\d \w/m],
    [2, 0, /^  banana .*\.\d\d \(\w/m],
  ] as const) {
    const scope = { image, text: image, code: image }
    const { out, html } = await demoOf(await microModel({}, { scope }))
    assert.match(out, answer)
    assert.match(out, `In brackets: not sure, below ${image}.00; ${mistaken} of 36 other drawings reach it.`)
    assert.match(html, `${mistaken} of the 36 other drawings`)
    assert.is(html.split('not sure: ').length, mistaken === 0 ? 1 + 5 : 1)
  }
})

test('the demo of a model for search alone only searches', async () => {
  const { out, html, pictures } = await demoOf(await microModel(RETRIEVAL))
  assert.is(pictures, 12 * 3 + 12)
  assert.match(out, 'SEARCH 36 pictures')
  assert.not.match(out, /CAPTION|MATCH|TEACH|recall/)
  assert.not.match(html, /Taught once| %<|<q>/)
})

test('the right answers of the demo are names of its pictures', () => {
  const names = drawn('demo').map(({ name }) => name)
  for (const [, ...right] of PHRASES) for (const name of right) assert.ok(names.includes(name), name)
})

test('the demo asks for what it taught, by another artist and in the same order', () => {
  const [taught, asked] = [drawn('taught'), drawn('asked')]
  const things = (set: typeof taught) => set.map(({ name, concept }) => [name, concept])
  assert.equal(things(asked), things(taught))
  assert.equal(new Set(taught.map(({ artist }) => artist)), new Set(['noto']))
  assert.equal(new Set([...asked, ...drawn('demo')].map(({ artist }) => artist)), new Set(['emojione']))
  const shown = new Set(drawn('demo').map(({ concept }) => concept))
  assert.not(taught.some(({ concept }) => shown.has(concept)))
})

test.after(() => rmSync(dir, { recursive: true }))

test.run()
