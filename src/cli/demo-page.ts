/**
 * The demo as one HTML file without scripts or references: readable offline, in light and in dark, on a phone and on
 * paper. It shows what was found, said and recalled as it is, wrong answers too.
 */
import { escape } from '../base/html.ts'
import { bytesText, count, threadsText } from '../base/readable.ts'
import type { Recollection } from '../index.ts'
import { isPreferred, isRecalled, type Artist, type Demo, type Found, type Lesson, type Named } from './demo-run.ts'
import type { Picture, Said, Shown, Teaching } from './demo-run.ts'
import { DEMO_STYLE } from './demo-style.ts'
import { figureCells, type FigureRow } from './figures.ts'
import type { Attribution } from './info.ts'

export function demoPage(demo: Demo): string {
  const { info, artist, teaching } = demo
  const did = teaching
    ? 'Everything below it found, said and recognised on its own, in drawings'
    : 'Everything below it found in drawings'
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
WebAssembly. ${did} by ${escape(artist.name)}, an artist whose work was never in its training.</p>
${facts(demo)}
</header>
${askedSection(demo)}
${shownSection(demo)}
${teaching ? teachingSection(demo, teaching) : ''}
${figureSection(demo)}
${aboutSection(demo)}
${creditSection(demo)}
</main>
</body>
</html>
`
}

/** What it is, and what a call takes. */
function facts({ info, times }: Demo): string {
  const list = (tiles: readonly (readonly [value: string, ...labels: string[]])[]) =>
    `<dl class="facts">
${tiles.map(([value, ...labels]) => `<div><dt>${labels.map(escape).join('<br>')}</dt><dd>${escape(value)}</dd></div>`).join('\n')}
</dl>`
  const what = list([
    [bytesText(info.fileBytes), 'the whole model file'],
    [count(info.parameters.total), 'parameters'],
    [bytesText(info.memory.total), 'of memory'],
    [info.isa, `kernels, ${threadsText(info.threads)}`],
  ])
  const calls = times.map(({ call, median, first }): [string, string, string] => [
    `${median.toFixed(1)} ms`,
    `${call === 'image' ? 'an' : 'a'} ${call}`,
    `the first ${first.toFixed(1)} ms`,
  ])
  return `${what}
${list(calls)}
<p class="note">Times of single calls, one after the other, from decoded pixels: the median of all but the first.</p>`
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

function shownSection({ shown, teaching }: Demo): string {
  const card = ({ picture, own, other, said }: Shown) => {
    const bars = [bar(own, isPreferred(own, other)), bar(other, false)]
    return `<article class="shown">${image(picture)}<div>${said ? `<h3>${quote(said)}</h3>` : ''}
<ol class="names">${bars.join('')}</ol></div></article>`
  }
  const note = teaching
    ? `What the model says of every third picture, the likeliest word each time; a tick marks its very name. Below, the
probability that its name belongs to it, and that the most similar name of another picture does; a tick marks where its
own is ahead.`
    : `Every third picture with its own name, and with the most similar name of another picture, with their cosine. A tick
marks where its own is ahead.`
  return `<section>
<h2>Shown, and named</h2>
<p class="note">${note}</p>
<div class="grid">
${shown.map(card).join('\n')}
</div>
</section>`
}

/** A name with its probability, or its cosine where there is none. */
function bar({ name, cosine, match }: Named, right: boolean): string {
  const share = Math.min(1, Math.max(0, match ?? cosine))
  const value = match === undefined ? cosine.toFixed(2) : `${(100 * match).toFixed(0)} %`
  return (
    `<li${right ? ' class="right"' : ''}><span>${escape(name)}</span><b>${value}${right ? ' ✓' : ''}</b>` +
    `<i class="bar" style="width: ${(100 * share).toFixed(0)}%"></i></li>`
  )
}

function teachingSection({ artist, teacher, pictures }: Demo, { lessons, scope, forgotten }: Teaching): string {
  const right = lessons.filter(isRecalled).length
  const threshold = scope
    ? ` A similarity of ${scope.threshold.toFixed(2)} or more counts as taught.`
    : ' The model states no similarity from which something counts as taught.'
  const mistaken = scope
    ? `<dt>by mistake</dt><dd>${scope.mistaken} of the ${pictures.length} other drawings, none of which was taught, reach the
threshold too.</dd>`
    : ''
  return `<section>
<h2>Taught once, and recognised</h2>
<p class="note">${lessons.length} things that no picture of its training shows. Each is taught from one drawing by
${escape(teacher.name)}: one write to its memory, no back-propagation. Then it is asked what ${escape(artist.name)} drew.
It answers with the nearest of what it was taught.${threshold}</p>
<div class="grid">
${lessons.map(lessonCard).join('\n')}
<article class="score"><p><strong>${right} of ${lessons.length}</strong> nearest right, where chance is 1</p>
<dl>${mistaken}
<dt>forgotten</dt><dd>“${escape(lessons[0].asked.name)}”, in ${forgotten.ms.toFixed(1)} ms. Its drawing now recalls
${recollection(forgotten.recalled)}.</dd></dl></article>
</div>
</section>`
}

function lessonCard(lesson: Lesson): string {
  const { taught, asked, before, after } = lesson
  const right = isRecalled(lesson)
  const { label, similarity, inScope } = after.recalled
  const answer: Named = { name: inScope ? label : `not sure: ${label}`, cosine: similarity }
  return `<article class="lesson"><h3>${escape(taught.name)}</h3>
<div class="pair"><figure>${image(taught)}<figcaption>taught</figcaption></figure><span aria-hidden="true">→</span>
<figure>${image(asked)}<figcaption>asked</figcaption></figure></div>
<ol class="names">${bar(answer, right)}</ol>
<dl><dt>before</dt><dd>recalls ${recollection(before.recalled)}, says ${quote(before.said)}</dd>
<dt>after</dt><dd>says ${quote(after.said)}</dd></dl></article>`
}

function recollection(recalled: Recollection | null): string {
  if (recalled === null) return 'nothing'
  const { label, similarity, inScope } = recalled
  return `${inScope ? '' : 'nothing for sure; nearest is '}“${escape(label)}” at ${similarity.toFixed(2)}`
}

function quote({ text, right }: Said): string {
  return right ? `<span class="right"><q>${escape(text)}</q> ✓</span>` : `<q>${escape(text)}</q>`
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
Re-ranked: matching orders the best of each query anew. The float twin is the same network, trained in the same way without
ternary weights; “nearest by pixels” takes the concept of the most similar training picture; a control is trained for a
short while on pictures with captions of others. Recorded when the model was made.</p>
</section>`
}

function aboutSection({ teaching }: Demo): string {
  const more = teaching
    ? `<p>To say what is in a picture, a third part writes word by word while it looks. To match, the words are read together
with the picture, which is slower and finer than comparing. To learn, picture and word are fused into one list of numbers
and written to a memory; no weight changes, and what was written can be taken out again exactly.</p>`
    : ''
  const scores = teaching
    ? 'Cosines order pictures for one phrase; they are no probabilities. What matching gives is one, as it estimates it.'
    : `The scores order pictures for one phrase; they are no probabilities, and there is no score that means “none of
these”.`
  return `<section class="about">
<h2>What this is</h2>
<p>One encoder turns a picture into a list of 128 numbers, another does the same with a text; both were trained until a
picture and its name came out alike. What is found is a matter of comparing numbers. Every weight matrix of the transformer
blocks holds −1, 0 and +1 only, two bits each; convolutions, vocabulary and projections take eight bits. The whole fits
into the size of a photograph and needs no graphics card.</p>
${more}
<p>It knows emoji and clip art with short English names, and little else: photographs, sentences about who does what to
whom, counting and reading are beyond it. ${scores}</p>
</section>`
}

function creditSection({ attributions, artist, teacher, teaching }: Demo): string {
  const link = (url: string, text: string) =>
    /^https?:/.test(url) ? `<a href="${escape(url)}">${escape(text)}</a>` : escape(text)
  const item = ({ title, author, licence, url }: Attribution) =>
    `<li>${link(url, title)}, ${escape(author)}, ${escape(licence)}</li>`
  const drawings = ({ name, licence, url }: Artist) => `${link(url, name)}, ${escape(licence)}`
  const trained =
    attributions.length > 0 ? `<p>Artwork of the data set:</p><ul>${attributions.map(item).join('')}</ul>` : ''
  return `<footer>
<p>The pictures on this page: ${drawings(artist)}${teaching ? `; what is taught: ${drawings(teacher)}` : ''}. Drawn as PNG on white.</p>
${trained}
</footer>`
}

function image({ name, png }: Picture): string {
  const base64 = Buffer.from(png).toString('base64')
  return `<img src="data:image/png;base64,${base64}" alt="${escape(name)}" width="128" height="128">`
}
