/**
 * `bitgen evaluate` as a person calls it: on the demo pictures, on a tiny model of every part with its twin beside it,
 * the page, and what a manifest has of all this.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseHTML } from 'linkedom'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { evaluationPage, type EvaluationPage, type ShownPicture } from '../src/cli/evaluate-page.ts'
import { figureSections, sectionsText } from '../src/cli/figure-sections.ts'
import { recordedResult, type RecordedResult } from '../src/cli/figures.ts'
import { exportModel } from '../src/index.ts'
import { at, bitgen, checkpoints, dir, entries, good, MODEL, writeCaptions, writeConfig } from './cli-fixture.ts'
import { microModel, RETRIEVAL } from './support/micro-model.ts'

const DEMO = fileURLToPath(new URL('../models/demo/', import.meta.url))

test('a model that was trained for retrieval alone has its figures, as a table, as JSON and as a page', async () => {
  writeFileSync(at('retrieval.safetensors'), await microModel(RETRIEVAL))
  const files = ['--json', at('demo', 'report.json'), '--page', at('demo', 'page.html')]
  const set = ['--images', `${DEMO}images`, '--annotations', `${DEMO}captions_demo.json`]
  const out = await good('evaluate', '--model', at('retrieval.safetensors'), ...set, ...files)
  const report = JSON.parse(readFileSync(at('demo', 'report.json'), 'utf8'))
  assert.equal(Object.keys(report), ['images', 'captions', 't2i', 'i2t', 'chance'])
  assert.equal([report.images, report.captions], [36, 36])
  assert.match(out, /^36 images, 36 captions\n\nRetrieval, recall in percent\n/)
  assert.not.match(out, /Matching|Captions|Text|re-ranked/)
  const { document } = parseHTML(readFileSync(at('demo', 'page.html'), 'utf8'))
  assert.is(document.querySelectorAll('article').length, 36)
  assert.equal([document.querySelectorAll('.names').length, document.querySelectorAll('table').length], [0, 1])
})

const set = [...entries, { file: 'broken.png', captions: ['lost'] }]
const ARGS = ['--images', at('images'), '--annotations', writeCaptions('with-broken.json', set)]

async function train(name: string, model: string, changes: object): Promise<string> {
  await good('train', '--config', writeConfig(name, changes))
  const checkpoint = at(name, 'checkpoints', checkpoints(name)[0])
  await good('export', '--checkpoint', checkpoint, '--out', model)
  return checkpoint
}

let recorded: RecordedResult

test('every part of a model is measured, its twin beside it; what cannot be read is named', async () => {
  writeFileSync(at('images', 'broken.png'), 'not a picture')
  const checkpoint = await train('parts', MODEL, {})
  await train('twin', at('twin.safetensors'), { seed: 5 })
  const files = ['--json', at('report.json'), '--page', at('page.html')]
  const twin = ['--twin', at('twin.safetensors')]
  const { code, out, err } = await bitgen('evaluate', '--model', MODEL, ...twin, ...ARGS, ...files, '--rerank', '3')
  assert.is(code, 0, err)
  assert.equal(err.match(/left out: .*broken\.png/g)?.length, 1)
  recorded = JSON.parse(readFileSync(at('report.json'), 'utf8'))
  const parts = ['images', 'captions', 't2i', 'i2t', 'chance', 'reranked', 'matching', 'captioning', 'text']
  assert.equal(Object.keys(recorded), [...parts, 'floatTwin'])
  assert.equal(Object.keys(recorded.floatTwin!), parts)
  assert.equal([recorded.images, recorded.captions, recorded.reranked!.top], [8, 9, 3])
  assert.equal([recorded.matching!.hard.n, recorded.matching!.random.n], [26, 26])
  assert.is.not(recorded.text!.plain.perplexity, recorded.floatTwin!.text!.plain.perplexity)
  assert.is(out.split('\n\nThe same')[0], `8 images, 9 captions\n\n${sectionsText(figureSections('parts', recorded))}`)
  for (const title of ['Retrieval', 'Matching', 'Captions', 'Text']) assert.match(out, new RegExp(`^${title}, `, 'm'))
  assert.match(out, /parts, best 3 re-ranked .*\n.*float twin .*\n.*float twin, best 3 re-ranked/)

  const alone = await good(
    'evaluate',
    '--model',
    at('twin.safetensors'),
    ...ARGS,
    '--rerank',
    '0',
    '--json',
    at('b.json'),
  )
  assert.not.match(alone, 're-ranked')
  const { reranked, ...rest } = recorded.floatTwin!
  assert.equal(JSON.parse(readFileSync(at('b.json'), 'utf8')), rest)

  writeFileSync(MODEL, await exportModel(checkpoint, { results: { colours: recorded, torn: { t2i: 1 } } }))
  const info = await good('info', '--model', MODEL)
  assert.match(info, '\ncolours: 8 images, 9 captions\n')
  for (const line of sectionsText(figureSections('parts', recorded)).split('\n')) assert.match(info, line.trim())
  assert.not.match(info, 'torn')
})

test('the page stands alone and shows every picture with what was made of it', () => {
  const html = readFileSync(at('page.html'), 'utf8')
  assert.not.match(html, /<script|<link|@import|url\(|https?:/)
  assert.ok(statSync(at('page.html')).size < 60_000)
  const { document } = parseHTML(html)
  assert.is(document.querySelectorAll('table').length, 4)
  const cards = [...document.querySelectorAll('article')]
  assert.equal(
    cards.map((card) => card.querySelector('h3')!.textContent),
    entries.map(({ captions }) => captions[0]),
  )
  for (const card of cards) {
    assert.match(card.querySelector('img')!.getAttribute('src')!, /^data:image\/webp;base64,/)
    assert.is(card.querySelectorAll('.names li').length, 2)
    assert.equal(
      [...card.querySelectorAll('dt')].map((term) => term.textContent),
      ['found', 'says'],
    )
  }
})

const picture = (changes: Partial<ShownPicture>): ShownPicture => {
  const plain = { path: 'x.png', captions: ['a cat', 'Tom'], nearest: 'a cat', rank: 1, webp: Uint8Array.of(1) }
  return { ...plain, said: 'a  CAT', own: 0.9, wrong: { caption: 'a dog', probability: 0.004 }, ...changes }
}

function page(changes: Partial<EvaluationPage>): Document {
  const ways = { t2i: { r1: 1, r5: 5, r10: 10 }, i2t: { r1: 1, r5: 5, r10: 10 } }
  const result = { images: 300, captions: 400, ...ways, chance: ways } as RecordedResult
  const sections = figureSections('m', result)
  return parseHTML(evaluationPage({ name: 'm', annotations: 'set.json', result, sections, pictures: [], ...changes }))
    .document as unknown as Document
}

test('hits and misses are counted, and told apart', () => {
  const pictures = [
    picture({}),
    picture({ rank: 5, nearest: 'a dog', said: 'a dog' }),
    picture({ rank: 6, said: '', wrong: { caption: 'a dog', probability: 0.95 } }),
    picture({ said: undefined, own: undefined, wrong: undefined }),
  ]
  const document = page({ pictures })
  const chips = [...document.querySelectorAll('[for^="show-"]')].map((label) => label.textContent)
  assert.equal(chips, [
    'all · 4',
    'found first · 2',
    'found 2nd to 5th · 1',
    'not among the first 5 · 1',
    'caption right · 1',
    'caption wrong · 2',
    'matching prefers the wrong name · 1',
  ])
  const cards = [...document.querySelectorAll('article')]
  assert.equal(
    cards.map(({ className }) => className.split(' ').slice(2)),
    [['is-first', 'is-told'], ['is-five', 'is-mistold'], ['is-missed', 'is-mistold', 'is-fooled'], ['is-first']],
  )
  const places = (order: string) =>
    cards.map((card) => new RegExp(`--${order}: (\\d+)`).exec(card.getAttribute('style')!)![1])
  assert.equal(places('best').join(''), '0231')
  assert.equal(places('worst').join(''), '2103')
  assert.equal(places('doubt').join(''), '2301')
  const lines = [...cards[1].querySelectorAll('dd')].map((line) => line.textContent)
  assert.equal(lines, ['a dog (its own: place 5 of 400)', 'a dog'])
  assert.is(cards[0].querySelector('dd')!.textContent, 'a cat ✓')
  assert.is(cards[2].querySelectorAll('dd')[1].textContent, '(nothing)')
  assert.equal(
    [...cards[0].querySelectorAll('b')].map((bar) => bar.textContent),
    ['90 %', '0.4 %'],
  )
  assert.match(document.querySelector('.lead')!.textContent!, '300 pictures with 400 captions of set.json. 4 of them')
})

test('captions are text, whatever they hold', () => {
  const evil = '<img src=x onerror="alert(1)">&\'"'
  const wrong = { caption: evil, probability: 0.5 }
  const document = page({
    name: evil,
    annotations: evil,
    pictures: [picture({ captions: [evil, evil], said: evil, nearest: evil, wrong })],
  })
  assert.is(document.querySelectorAll('img').length, 1)
  const card = document.querySelector('article')!
  assert.is(card.querySelector('h3')!.textContent, evil)
  assert.is(card.querySelector('h3')!.getAttribute('title'), `${evil}\n${evil}`)
})

test('figures of another form are left out of a manifest, part by part', () => {
  const parts = (changes: object) => figureSections('m', recordedResult({ ...recorded, ...changes })!)
  const titles = (changes: object) => parts(changes).map(({ title }) => title)
  assert.equal(titles({}), ['Retrieval', 'Matching', 'Captions', 'Text'])
  const { captioning, text, matching } = recorded
  for (const broken of [null, 3, { random: matching!.random }, { random: matching!.random, hard: { n: 1 } }]) {
    assert.equal(titles({ matching: broken }), ['Retrieval', 'Captions', 'Text'])
  }
  for (const broken of [
    null,
    'x',
    { ...captioning, beam: 1 },
    { ...captioning, greedy: { ...captioning!.greedy, bleu: 5 } },
  ]) {
    assert.equal(titles({ captioning: broken }), ['Retrieval', 'Matching', 'Text'])
  }
  for (const broken of [null, [], { plain: { perplexity: null, tokenAccuracy: 1 } }]) {
    assert.equal(titles({ text: broken }), ['Retrieval', 'Matching', 'Captions'])
  }
  const groups = (changes: object) => [...new Set(parts(changes).flatMap(({ rows }) => rows.map(({ group }) => group)))]
  assert.ok(groups({}).includes('greedy, with memory'))
  const alone = { floatTwin: undefined }
  assert.not(
    groups({ ...alone, captioning: { ...captioning, recalled: { exact: 1 } } }).includes('greedy, with memory'),
  )
  assert.not(groups({ ...alone, text: { ...text, recalled: 0 } }).includes('with memory'))
  assert.not.match(JSON.stringify(parts({ reranked: { top: 'x' }, floatTwin: { t2i: [] } })), /re-ranked|twin/)
  assert.match(JSON.stringify(parts({ floatTwin: { ...recorded.floatTwin, text: 1 } })), 'twin')
  for (const broken of [{ images: 'x' }, { captions: null }, { chance: {} }, { i2t: { r1: 1, r5: '2', r10: 3 } }]) {
    assert.is(recordedResult({ ...recorded, ...broken }), undefined)
  }
})

for (const [args, error] of [
  [['--rerank=-1'], '--rerank: must be a whole number from 0, got -1; see bitgen evaluate --help'],
  [['--rerank', '1.5'], '--rerank: must be a whole number from 0, got 1.5'],
  [['--rerank', 'all'], '--rerank: must be a number'],
] as [string[], string][]) {
  test(`exits with 2: ${args.join(' ')}`, async () => {
    const { code, err } = await bitgen('evaluate', ...ARGS, ...args)
    assert.is(code, 2)
    assert.match(err, error)
  })
}

test('a twin that is no model is named before anything is measured', async () => {
  const { code, out, err } = await bitgen('evaluate', '--model', MODEL, ...ARGS, '--twin', at('none'))
  assert.equal([code, out], [1, ''])
  assert.match(err, `bitgen: ${at('none')}: must be a readable file`)
})

test.after(() => rmSync(dir, { recursive: true }))

test.run()
