/**
 * A whole evaluation of a micro model against the public class, which is asked for every pair, caption and memory by
 * itself. Its parts, counted by hand, are in evaluate-parts.test.ts.
 */
import { rmSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { log } from '../src/base/math.ts'
import { subjectOf } from '../src/cli/model.ts'
import { readCaptions } from '../src/data/coco.ts'
import { scoreCaptions } from '../src/evaluate/captions.ts'
import { evaluate, type Evaluation } from '../src/evaluate/evaluation.ts'
import { BitGen } from '../src/index.ts'
import { encodeText } from '../src/text/tokenizer.ts'
import { at, dir, entries, writeCaptions } from './cli-fixture.ts'
import { MICRO_LENGTH, microModel, RETRIEVAL } from './support/micro-model.ts'

const SILENT = { progress: () => ({ update() {}, note() {}, stop() {} }) }
/** Words that the micro model knows; to it all others are one. The first picture has two captions. */
const CAPTIONS = [['to', 'that it'], ['on it'], ['that'], ['it are do'], ['B'], ['are v'], ['su on'], ['do to']]
const captioned = entries.map(({ file }, i) => ({ file, captions: CAPTIONS[i] }))
const set = readCaptions(writeCaptions('known.json', captioned), at('images'))
const bytes = await microModel()
const model = await BitGen.load(bytes)
const whole = await evaluate(await subjectOf(bytes), set, { ...SILENT, rerank: 3 })

/** Captions of the set with the image of each. */
const texts = set.flatMap(({ captions }, image) => captions.map((text) => ({ text, image })))
/** Of every image (rows) and caption, from the public class: cosine, and match against no match as a logit. */
const cosines: number[][] = []
const margins: number[][] = []
for (const { path } of set) {
  const all = texts.map(({ text }) => text)
  cosines.push(await model.similarity(path, all))
  margins.push((await model.match(path, all)).map((p) => log(p / (1 - p))))
}

test('matching with the hardest partners is what the public class says of them', () => {
  const isRight: boolean[][] = [[], []]
  texts.forEach(({ image }, caption) => isRight[1].push(margins[image][caption] > 0))
  const wrong = (image: number, caption: number) => texts[caption].image !== image
  const hardest = (n: number, score: (i: number) => number, isWrong: (i: number) => boolean) =>
    Array.from({ length: n }, (_, i) => i)
      .filter(isWrong)
      .reduce((best, i) => (score(i) > score(best) ? i : best))
  set.forEach((_, image) => {
    const caption = hardest(
      texts.length,
      (c) => cosines[image][c],
      (c) => wrong(image, c),
    )
    isRight[0].push(margins[image][caption] < 0)
    const { own, wrong: other } = whole.pictures[image]
    assert.is(other!.caption, texts[caption].text)
    assert.ok(Math.abs(log(other!.probability / (1 - other!.probability)) - margins[image][caption]) < 1e-9)
    const first = texts.findIndex((text) => text.image === image)
    assert.ok(Math.abs(log(own! / (1 - own!)) - margins[image][first]) < 1e-9)
  })
  texts.forEach((_, caption) => {
    const image = hardest(
      set.length,
      (i) => cosines[i][caption],
      (i) => wrong(i, caption),
    )
    isRight[0].push(margins[image][caption] < 0)
  })
  const share = (some: boolean[]) => (100 * some.filter(Boolean).length) / some.length
  const { n, accuracy, balanced } = whole.report.matching!.hardest
  assert.is(n, 9 + 8 + 9)
  assert.is(whole.report.matching!.random.n, n)
  assert.ok(Math.abs(accuracy - share(isRight.flat())) < 1e-9)
  assert.ok(Math.abs(balanced - (share(isRight[0]) + share(isRight[1])) / 2) < 1e-9)
})

test('re-ranked retrieval is the order of cosine / T + margin among the three best', () => {
  const { temperature } = model.info().manifest
  const rankOf = (
    n: number,
    cosine: (i: number) => number,
    margin: (i: number) => number,
    right: (i: number) => boolean,
  ) => {
    const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => cosine(b) - cosine(a))
    const score = (i: number) => cosine(i) / temperature + margin(i)
    const anew = [...order.slice(0, 3).sort((a, b) => score(b) - score(a)), ...order.slice(3)]
    return 1 + anew.findIndex(right)
  }
  const i2t = set.map((_, image) =>
    rankOf(
      texts.length,
      (c) => cosines[image][c],
      (c) => margins[image][c],
      (c) => texts[c].image === image,
    ),
  )
  const t2i = texts.map((text, c) =>
    rankOf(
      set.length,
      (i) => cosines[i][c],
      (i) => margins[i][c],
      (i) => text.image === i,
    ),
  )
  const recall = (ranks: number[], k: number) => (100 * ranks.filter((rank) => rank <= k).length) / ranks.length
  const { top, ...got } = whole.report.reranked!
  assert.is(top, 3)
  for (const [way, ranks] of Object.entries({ t2i, i2t }) as ['t2i' | 'i2t', number[]][]) {
    assert.equal([got[way].r1, got[way].r5], [recall(ranks, 1), recall(ranks, 5)], way)
  }
})

test('captions are those of the public class, with the memory too once it was taught the episode', async () => {
  const pupil = await BitGen.load(bytes)
  for (const { path, captions } of set) await pupil.memory.write({ image: path, label: captions[0] })
  const said = async (options: object) => {
    const hypotheses: string[] = []
    for (const { path } of set) hypotheses.push((await pupil.caption(path, options)).text)
    return hypotheses
  }
  const scores = (hypotheses: string[]) =>
    scoreCaptions(hypotheses.map((hypothesis, i) => ({ hypothesis, references: set[i].captions })))
  const { greedy, beam, recalled } = whole.report.captioning!
  const plain = await said({ memory: false })
  assert.equal(
    whole.pictures.map((picture) => picture.said),
    plain,
  )
  assert.equal(greedy, scores(plain))
  assert.equal(beam, scores(await said({ memory: false, beams: 5 })))
  const remembered = await said({})
  assert.is.not(remembered.join(), plain.join())
  assert.equal(recalled, scores(remembered))
})

test('every token of every first caption is foretold, its end too', () => {
  const { prefix } = model.info().manifest
  const lengths = set.map(({ captions }) => encodeText(captions[0], { prefix, maxLength: MICRO_LENGTH }).length - 1)
  const tokens = lengths.reduce((sum, length) => sum + length)
  const { plain, recalled } = whole.report.text!
  for (const scores of [plain, recalled!]) {
    assert.is(scores.tokens, tokens)
    assert.ok(scores.perplexity > 1 && scores.perplexity < 1e4)
  }
  assert.is.not(plain.perplexity, recalled!.perplexity)
})

test('what was found of each picture', () => {
  whole.pictures.forEach(({ nearest, rank, path, captions }, image) => {
    assert.equal([path, captions], [set[image].path, set[image].captions])
    const best = cosines[image].indexOf(Math.max(...cosines[image]))
    assert.is(nearest, texts[best].text)
    assert.is(rank === 1, texts[best].image === image)
  })
})

test('a model has the figures of what it was trained for, and the same ones again', async () => {
  const of = async (losses: object, rerank?: number): Promise<Evaluation> =>
    evaluate(await subjectOf(await microModel(losses)), set, { ...SILENT, rerank })
  const keys = ({ report }: Evaluation) => Object.keys(report).slice(5)
  const retrieval = await of(RETRIEVAL)
  assert.equal(keys(retrieval), [])
  assert.equal([retrieval.pictures[0].said, retrieval.pictures[0].own], [undefined, undefined])
  assert.equal(keys(await of({ text: 0, memory: 0 })), ['reranked', 'matching'])
  const captions = await of({ itm: 0 })
  assert.equal(keys(captions), ['captioning', 'text'])
  assert.is(captions.report.captioning!.recalled, undefined)
  assert.is(captions.report.text!.recalled, undefined)
  assert.equal(keys(await of({}, 0)), ['matching', 'captioning', 'text'])
  assert.equal(await of({}, 3), whole)
})

test.after(() => rmSync(dir, { recursive: true }))

test.run()
