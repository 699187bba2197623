/**
 * The page of an evaluation as one HTML file without scripts or references: the figures, and pictures with what the
 * model made of them, right and wrong alike. They are filtered and ordered by the style sheet alone. A page of 200
 * pictures has about 500 kB.
 */
import { escape } from '../base/html.ts'
import { count } from '../base/readable.ts'
import { plainText } from '../evaluate/captions.ts'
import type { PictureResult } from '../evaluate/evaluation.ts'
import { DEMO_STYLE } from './demo-style.ts'
import { EVALUATE_STYLE } from './evaluate-style.ts'
import type { FigureSection, RecordedResult } from './figures.ts'

/** A picture with its thumbnail. */
export type ShownPicture = PictureResult & { webp: Uint8Array }

export interface EvaluationPage {
  /** Of the model, and of the set. */
  name: string
  annotations: string
  result: RecordedResult
  sections: readonly FigureSection[]
  /** Those that are shown, of all that were measured. */
  pictures: readonly ShownPicture[]
}

/** One choice of a filter: its cards are those that `has` holds for. */
interface Filter {
  id: string
  label: string
  has(picture: ShownPicture): boolean
}

const FILTERS: readonly Filter[] = [
  { id: 'all', label: 'all', has: () => true },
  { id: 'first', label: 'found first', has: ({ rank }) => rank === 1 },
  { id: 'five', label: 'found 2nd to 5th', has: ({ rank }) => rank > 1 && rank <= 5 },
  { id: 'missed', label: 'not among the first 5', has: ({ rank }) => rank > 5 },
  { id: 'told', label: 'caption right', has: isTold },
  { id: 'mistold', label: 'caption wrong', has: (picture) => picture.said !== undefined && !isTold(picture) },
  { id: 'fooled', label: 'matching prefers the wrong name', has: isFooled },
]

/** Ways to order the cards, smallest value first. */
const ORDERS: readonly { id: string; label: string; value(picture: ShownPicture, i: number): number }[] = [
  { id: 'set', label: 'as in the set', value: (_, i) => i },
  { id: 'best', label: 'best first', value: ({ rank }) => rank },
  { id: 'worst', label: 'worst first', value: ({ rank }) => -rank },
  { id: 'doubt', label: 'by doubt of matching', value: ({ own = 0, wrong }) => own - (wrong?.probability ?? 0) },
]

export function evaluationPage(page: EvaluationPage): string {
  const { name, annotations, result, sections, pictures } = page
  const some =
    pictures.length < result.images ? `${count(pictures.length)} of them, drawn at random, are shown below.` : ''
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>BitGen: evaluation of ${escape(name)}</title>
<style>${DEMO_STYLE}${EVALUATE_STYLE}${rules()}</style>
</head>
<body>
<main>
<header>
<p class="eyebrow">BitGen · ${escape(name)}</p>
<h1>Hits and misses</h1>
<p class="lead">${count(result.images)} pictures with ${count(result.captions)} captions of ${escape(annotations)}. ${some}</p>
</header>
${sections.map(figures).join('\n')}
${gallery(pictures, result.captions)}
</main>
</body>
</html>
`
}

function figures({ title, unit, note, head, rows }: FigureSection): string {
  const row = ({ group, name, cells }: FigureSection['rows'][number], i: number) => {
    const isFirst = group !== rows[i - 1]?.group
    const numbers = cells.map((cell) => `<td>${escape(cell)}</td>`).join('')
    const heads = `<th scope="row">${isFirst ? escape(group) : ''}</th><th scope="row">${escape(name)}</th>`
    return `<tr${isFirst ? ' class="group"' : ''}>${heads}${numbers}</tr>`
  }
  const columns = head.map((column) => `<th scope="col">${escape(column)}</th>`).join('')
  return `<section>
<h2>${escape(title)} <small>${escape(unit)}</small></h2>
<div class="scroll"><table>
<thead><tr><th></th><th></th>${columns}</tr></thead>
<tbody>
${rows.map(row).join('\n')}
</tbody>
</table></div>
<p class="note">${escape(note)}</p>
</section>`
}

/** `all` is how many captions were searched. */
function gallery(pictures: readonly ShownPicture[], all: number): string {
  const inputs = (group: string, choices: readonly { id: string }[]) =>
    choices
      .map(({ id }, i) => `<input type="radio" name="${group}" id="${group}-${id}"${i === 0 ? ' checked' : ''}>`)
      .join('')
  const filters = FILTERS.map((filter) => ({ ...filter, n: pictures.filter(filter.has).length })).filter(
    ({ n }) => n > 0,
  )
  const matching = pictures.some(({ own }) => own !== undefined)
  const parts = [
    'Each with its true caption and the caption of the set that is most like it',
    ...(pictures.some(({ said }) => said !== undefined) ? ['with what the model says of it, greedily'] : []),
    ...(matching ? ['with how likely it holds the true caption and the most similar wrong one to be'] : []),
  ]
  const orders = ORDERS.filter(({ id }) => matching || id !== 'doubt').map((order) => ({
    ...order,
    places: placesOf(pictures.map(order.value)),
  }))
  const chip = (group: string, id: string, text: string) => `<label for="${group}-${id}">${escape(text)}</label>`
  const cards = pictures.map((picture, i) => {
    const classes = filters.filter(({ has }) => has(picture)).map(({ id }) => `is-${id}`)
    const places = orders.map(({ id, places }) => `--${id}: ${places[i]}`)
    return card(picture, all, classes.join(' '), places.join('; '))
  })
  return `<section class="gallery">
<h2>Pictures</h2>
<p class="note">${parts.join('; ')}. A tick marks what is right.</p>
${inputs('show', filters)}${inputs('by', orders)}
<p class="chips">${filters.map(({ id, label, n }) => chip('show', id, `${label} · ${n}`)).join('')}</p>
<p class="chips">${orders.map(({ id, label }) => chip('by', id, label)).join('')}</p>
<div class="grid">
${cards.join('\n')}
</div>
</section>`
}

function card(picture: ShownPicture, all: number, classes: string, places: string): string {
  const { captions, nearest, rank, said, own, wrong, webp } = picture
  const others = captions.length > 1 ? ` title="${escape(captions.join('\n'))}"` : ''
  const line = (term: string, text: string, right: boolean) =>
    `<dt>${term}</dt><dd${right ? ' class="right"' : ''}>${escape(text)}${right ? ' ✓' : ''}</dd>`
  const place = rank === 1 ? nearest : `${nearest} (its own: place ${count(rank)} of ${count(all)})`
  const bar = (text: string, probability: number, right: boolean) =>
    `<li${right ? ' class="right"' : ''}><span>${escape(text)}</span><b>${percent(probability)}</b>` +
    `<i class="bar" style="width: ${(100 * probability).toFixed(0)}%"></i></li>`
  const bars = [
    ...(own === undefined ? [] : [bar(captions[0], own, true)]),
    ...(wrong === undefined ? [] : [bar(wrong.caption, wrong.probability, false)]),
  ]
  return `<article class="shown ${classes}" style="${places}">
<img src="data:image/webp;base64,${Buffer.from(webp).toString('base64')}" alt="" width="112" height="112" loading="lazy">
<div><h3${others}>${escape(captions[0])}</h3>
<dl>${line('found', place, rank === 1)}${said === undefined ? '' : line('says', said || '(nothing)', isTold(picture))}</dl>
${bars.length > 0 ? `<ol class="names">${bars.join('')}</ol>` : ''}</div>
</article>`
}

/** The style of each choice: what a filter hides, what an order goes by, and the chip that stands for it. */
function rules(): string {
  const hide = ({ id }: { id: string }) => `#show-${id}:checked ~ .grid article:not(.is-${id}) { display: none; }`
  const order = ({ id }: { id: string }) => `#by-${id}:checked ~ .grid article { order: var(--${id}); }`
  const ids = [...FILTERS.map(({ id }) => `show-${id}`), ...ORDERS.map(({ id }) => `by-${id}`)]
  const chips = (state: string) => ids.map((id) => `#${id}:${state} ~ .chips [for="${id}"]`).join(', ')
  return [
    ...FILTERS.map(hide),
    ...ORDERS.map(order),
    `${chips('checked')} { background: var(--text); color: var(--page); }`,
    `${chips('focus-visible')} { outline: 2px solid var(--accent); outline-offset: 2px; }`,
  ].join('\n')
}

/** The place of each value among all, smallest first, equal ones as they come. */
function placesOf(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b] || a - b)
  const places: number[] = []
  order.forEach((i, place) => (places[i] = place))
  return places
}

function isTold({ said, captions }: ShownPicture): boolean {
  return said !== undefined && captions.some((caption) => plainText(caption) === plainText(said))
}

function isFooled({ own, wrong }: ShownPicture): boolean {
  return own !== undefined && wrong !== undefined && wrong.probability >= own
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0 && share < 0.095 ? 1 : 0)} %`
}
