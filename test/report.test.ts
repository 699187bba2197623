/**
 * The report: complete, self-contained, safe against its own captions.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { reportPage, writeReport, type Report } from '../src/train/report.ts'

const recalls = (r1: number) => ({ r1, r5: r1 + 20, r10: r1 + 30 })

const REPORT: Report = {
  title: 'nano <b>on</b> emoji',
  about: ['EmojiOne & co, drawn by an artist that was never trained on.'],
  steps: Array.from({ length: 200 }, (_, i) => ({ step: i + 1, loss: 5 - i / 80, accT2i: i / 400, accI2t: i / 500 })),
  evaluations: [50, 100, 200].map((step) => ({ step, t2i: recalls(step / 5), i2t: recalls(step / 6) })),
  figures: [
    {
      name: 'BitGen',
      images: 875,
      captions: 875,
      t2i: { ...recalls(42), medianRank: 2.5 },
      i2t: recalls(41),
      model: true,
    },
    { name: 'chance', images: 875, captions: 875, t2i: recalls(0.1), i2t: recalls(0.1) },
    { name: 'nearest by pixels', images: 875, captions: 875, i2t: recalls(33.9) },
  ],
  retrievals: [
    {
      query: '"><script>alert(1)</script>',
      results: [0, 1, 2, 3, 4].map((i) => ({ png: Uint8Array.of(i), score: 0.9 - i / 10, correct: i === 1 })),
    },
  ],
}

const count = (text: string, part: string) => text.split(part).length - 1

test('everything given is on the page', () => {
  const page = reportPage(REPORT)
  assert.is(count(page, '<svg'), 3)
  assert.is(count(page, '<img'), 5)
  assert.is(count(page, 'class="right"'), 1)
  assert.is(count(page, 'class="model"'), 1)
  assert.match(page, /<td>42\.0<\/td><td>62\.0<\/td><td>72\.0<\/td><td>2\.5<\/td>/)
  assert.match(page, /at most\n1\.7 points with 875 queries/)
  assert.match(page, />recall \(%\)</)
})

test('what was measured has a chart, for steps and for the validation images', () => {
  const titles = (page: string) => Array.from(page.matchAll(/<figcaption><strong>([^<]*)/g), ([, title]) => title)
  const scores = { loss: 3, contrastiveLoss: 1, itmLoss: 0.5, textLoss: 2, tokenAccuracy: 0.3, memoryQuality: 0.9 }
  const steps = REPORT.steps.map(({ step }) => ({ step, ...scores, perplexity: NaN, imageContrastLoss: NaN }))
  const evaluations = REPORT.evaluations.map((row) => ({ ...row, scores, zeros: 0.3 }))
  const all = titles(reportPage({ ...REPORT, steps, evaluations }))
  const ofSteps = ['Training loss', 'Contrast and text', 'Matching and memory', 'Reconstruction of the text', 'Memory']
  const ofSet = ofSteps.map((title) => `${title}, validation images`)
  assert.equal(all, [...ofSteps, 'Retrieval on the validation images', ...ofSet, 'Ternary weights'])
})

test('nothing is fetched and nothing runs', () => {
  const page = reportPage(REPORT)
  assert.is(count(page, '<script'), 0)
  assert.match(page, /&quot;&gt;&lt;script&gt;alert\(1\)/)
  assert.match(page, /nano &lt;b&gt;on/)
  assert.not.match(page.replaceAll(/xmlns(:\w+)?="[^"]*"/g, ''), /https?:|url\(|@import/)
  for (const [, source] of page.matchAll(/(?:src|href)="([^"]*)"/g)) assert.match(source, /^data:image\/png;base64,/)
})

test('a run that has only begun has a page too', () => {
  const page = reportPage({ title: 'empty', about: [], steps: [], evaluations: [], figures: [], retrievals: [] })
  assert.is(count(page, '<section'), 0)
  const one = reportPage({ ...REPORT, steps: [{ step: 1, loss: NaN, accT2i: 0, accI2t: 0 }], evaluations: [] })
  assert.is(count(one, '<svg'), 1)
})

test('ternary weights have a chart where there are some', () => {
  const evaluations = REPORT.evaluations.map((row, i) => ({ ...row, zeros: 0.31, flips: i > 0 ? 0.05 : undefined }))
  assert.match(reportPage({ ...REPORT, evaluations }), /<strong>Ternary weights</)
  // A float model's shares are NaN, which metrics.jsonl holds as null.
  const float = REPORT.evaluations.map((row) => ({ ...row, zeros: JSON.parse('null') as number }))
  assert.not.match(reportPage({ ...REPORT, evaluations: float }), /Ternary weights/)
})

test('the page is written', () => {
  const dir = mkdtempSync(join(tmpdir(), 'bitgen-report-'))
  writeReport(join(dir, 'report.html'), REPORT)
  assert.is(readFileSync(join(dir, 'report.html'), 'utf8'), reportPage(REPORT))
  rmSync(dir, { recursive: true })
})

test.run()
