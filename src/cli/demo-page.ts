/**
 * The demo as one HTML file without scripts or references: readable offline, in light and in dark, on a phone and on
 * paper. It shows what was found as it is, wrong answers too.
 */
import type { ModelInfo } from '../index.ts'
import { DEMO_STYLE } from './demo-style.ts'
import { figureCells, type FigureRow } from './figures.ts'
import { bytesText, count } from './format.ts'
import type { Attribution } from './info.ts'

/** A picture or a phrase that was found; `index` counts the pictures. */
export interface Found {
  index: number
  score: number
  /** Whether a person would have taken it. */
  right: boolean
}

export interface Demo {
  info: ModelInfo
  /** PNG files; the name of a picture is its caption. */
  pictures: readonly { name: string; png: Uint8Array }[]
  /** Pictures for a phrase, best first. */
  asked: readonly { phrase: string; found: readonly Found[] }[]
  /** Names for a picture, best first. */
  shown: readonly { picture: number; found: readonly Found[] }[]
  /** Median time of one call. */
  milliseconds: { image: number; text: number }
  /** On all drawings of the held-out artist; absent where the model's file does not have them. */
  figures?: { images: number; rows: readonly FigureRow[] }
  /** Whose artwork the model was trained on. */
  attributions: readonly Attribution[]
  /** Whose drawings are shown. */
  drawings: { artist: string; licence: string; url: string }
}

export function demoPage(demo: Demo): string {
  const { info, drawings } = demo
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>BitGen: pictures for words, words for pictures</title>
<style>${DEMO_STYLE}</style>
</head>
<body>
<main>
<header>
<p class="eyebrow">BitGen · ${escape(info.name)}</p>
<h1>Pictures for words, words for pictures</h1>
<p class="lead">A ternary vision-language model of ${bytesText(info.fileBytes)}, trained and run on a plain CPU in
WebAssembly. Everything below it found in drawings by ${escape(drawings.artist)}, an artist whose work was never in its
training.</p>
${facts(demo)}
</header>
${askedSection(demo)}
${shownSection(demo)}
${figureSection(demo)}
${aboutSection()}
${creditSection(demo)}
</main>
</body>
</html>
`
}

function facts({ info, milliseconds }: Demo): string {
  const tiles = [
    [bytesText(info.fileBytes), 'the whole model file'],
    [count(info.parameters.total), 'parameters'],
    [`${milliseconds.image.toFixed(1)} ms`, 'an image'],
    [`${milliseconds.text.toFixed(1)} ms`, 'a text'],
    [bytesText(info.memory.total), 'of memory'],
    [info.isa, 'kernels, one thread'],
  ]
  return `<dl class="facts">
${tiles.map(([value, label]) => `<div><dt>${escape(label)}</dt><dd>${escape(value)}</dd></div>`).join('\n')}
</dl>`
}

function askedSection({ asked, pictures }: Demo): string {
  const result = ({ index, score, right }: Found) =>
    `<li${right ? ' class="right"' : ''}>${image(pictures[index])}` +
    `<span>${escape(pictures[index].name)}</span><b>${score.toFixed(2)}${right ? ' ✓' : ''}</b></li>`
  const card = ({ phrase, found }: Demo['asked'][number]) =>
    `<article><h3>${escape(phrase)}</h3><ol class="pictures">${found.map(result).join('')}</ol></article>`
  return `<section>
<h2>Asked for, and found</h2>
<p class="note">The three best of ${pictures.length} pictures for each phrase, best first, with their cosine. A tick marks
what a person would have taken. The first six ask by name, the others as people also do.</p>
<div class="grid">
${asked.map(card).join('\n')}
</div>
</section>`
}

function shownSection({ shown, pictures }: Demo): string {
  const result = ({ index, score, right }: Found) =>
    `<li${right ? ' class="right"' : ''}><span>${escape(pictures[index].name)}</span>` +
    `<b>${score.toFixed(2)}${right ? ' ✓' : ''}</b>` +
    `<i class="bar" style="width: ${(100 * Math.min(1, Math.max(0, score))).toFixed(0)}%"></i></li>`
  const card = ({ picture, found }: Demo['shown'][number]) =>
    `<article class="shown">${image(pictures[picture])}<ol class="names">${found.map(result).join('')}</ol></article>`
  return `<section>
<h2>Shown, and named</h2>
<p class="note">The three best of the names of all ${pictures.length} pictures for every third picture, with their cosine.
A tick marks its own name.</p>
<div class="grid">
${shown.map(card).join('\n')}
</div>
</section>`
}

function figureSection({ figures }: Demo): string {
  if (!figures) return ''
  const { images, rows } = figures
  const error = (100 * Math.sqrt(0.25 / images)).toFixed(1)
  const row = ({ name, t2i, i2t }: FigureRow, i: number) => {
    const cells = [...figureCells(t2i), ...figureCells(i2t)].map((cell) => `<td>${cell}</td>`).join('')
    return `<tr${i === 0 ? ' class="model"' : ''}><th scope="row">${escape(name)}</th>${cells}</tr>`
  }
  const measures = ['R@1', 'R@5', 'R@10', 'median'].map((name) => `<th scope="col">${name}</th>`).join('')
  return `<section>
<h2>On all ${count(images)} drawings of this artist</h2>
<div class="scroll"><table>
<thead>
<tr><th rowspan="2"></th><th colspan="4" scope="colgroup">text to image</th><th colspan="4" scope="colgroup">image to text</th></tr>
<tr>${measures.repeat(2)}</tr>
</thead>
<tbody>
${rows.map(row).join('\n')}
</tbody>
</table></div>
<p class="note">How often, in percent, the right one of ${count(images)} is the first, among the first 5, the first 10; and
its median place. One name for each picture; ties count against the model. The standard error is at most ${error} points.
The float twin is the same network, trained in the same way without ternary weights; “nearest by pixels” takes the concept
of the most similar training picture; a control is trained for a short while on pictures with captions of others. Recorded when the model was made.</p>
</section>`
}

function aboutSection(): string {
  return `<section class="about">
<h2>What this is</h2>
<p>One encoder turns a picture into a list of 128 numbers, another does the same with a text; both were trained until a
picture and its name came out alike. What is found is a matter of comparing numbers. Every weight matrix of the transformer
blocks holds −1, 0 and +1 only, two bits each; convolutions, vocabulary and projections take eight bits. The whole fits
into the size of a photograph and needs no graphics card.</p>
<p>It knows emoji and clip art with short English names, and little else: photographs, sentences about who does what to
whom, counting and reading are beyond it. The scores order pictures for one phrase; they are no probabilities, and there
is no score that means “none of these”.</p>
</section>`
}

function creditSection({ attributions, drawings }: Demo): string {
  const link = (url: string, text: string) =>
    /^https?:/.test(url) ? `<a href="${escape(url)}">${escape(text)}</a>` : escape(text)
  const item = ({ title, author, licence, url }: Attribution) =>
    `<li>${link(url, title)}, ${escape(author)}, ${escape(licence)}</li>`
  const trained =
    attributions.length > 0 ? `<p>Artwork of the data set:</p><ul>${attributions.map(item).join('')}</ul>` : ''
  return `<footer>
<p>The pictures on this page: ${link(drawings.url, drawings.artist)}, ${escape(drawings.licence)}, drawn as PNG on white.</p>
${trained}
</footer>`
}

function image({ name, png }: Demo['pictures'][number]): string {
  const base64 = Buffer.from(png).toString('base64')
  return `<img src="data:image/png;base64,${base64}" alt="${escape(name)}" width="128" height="128">`
}

/** Text as HTML, in elements and in attributes. */
function escape(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, (character) => entities[character])
}
