/**
 * The report of a run: one HTML file without scripts or references, readable offline, in light and in dark. Shows the
 * curves, what chance and simple baselines reach beside the model's figures, and retrievals as they are, wrong ones too.
 */
import { escape } from '../base/html.ts'
import { writeFileSync } from 'node:fs'
import type { Recalls } from '../evaluate/retrieval.ts'
import { drawChart, type Chart } from './report-charts.ts'
import { curvesOf, type EvaluationPoint, type StepPoint } from './report-curves.ts'
import { REPORT_STYLE } from './report-style.ts'

/** A row of the table of figures: the model, chance, a baseline. */
export interface ReportFigure {
  name: string
  /** Images and captions that were searched. */
  images: number
  captions: number
  t2i?: Recalls & { medianRank?: number }
  i2t?: Recalls & { medianRank?: number }
  /** The row that the report is about. */
  model?: boolean
}

export interface RetrievalRow {
  query: string
  /** Best first; PNG files. */
  results: { png: Uint8Array; score: number; correct: boolean }[]
}

export interface Report {
  title: string
  /** Sentences under the title: data, artist, size of the model, conditions. */
  about: string[]
  steps: readonly StepPoint[]
  evaluations: readonly EvaluationPoint[]
  figures: readonly ReportFigure[]
  retrievals: readonly RetrievalRow[]
}

/** Writes the page; throws what the file system throws. */
export function writeReport(path: string, report: Report): void {
  writeFileSync(path, reportPage(report))
}

/** The page as text. */
export function reportPage({ title, about, steps, evaluations, figures, retrievals }: Report): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<main>
<header>
<h1>${escape(title)}</h1>
${about.map((sentence) => `<p>${escape(sentence)}</p>`).join('\n')}
</header>
${figures.length > 0 ? figureTable(figures) : ''}
${curves(steps, evaluations)}
${retrievals.length > 0 ? retrievalGrid(retrievals) : ''}
</main>
</body>
</html>
`
}

function figureTable(figures: readonly ReportFigure[]): string {
  const n = Math.min(...figures.map(({ images }) => images))
  const error = (100 * Math.sqrt(0.25 / n)).toFixed(1)
  return `<section>
<h2>Retrieval</h2>
<div class="scroll"><table>
<thead>
<tr><th rowspan="2" scope="col"></th><th rowspan="2" scope="col">images</th><th rowspan="2" scope="col">captions</th>
<th colspan="4" scope="colgroup">text to image</th><th colspan="4" scope="colgroup">image to text</th></tr>
<tr>${'<th scope="col">R@1</th><th scope="col">R@5</th><th scope="col">R@10</th><th scope="col">median</th>'.repeat(2)}</tr>
</thead>
<tbody>
${figures.map(figureRow).join('\n')}
</tbody>
</table></div>
<p class="note">Recall in percent, median of ranks; ties count against. The standard error of a recall is at most
${error} points with ${n} queries.</p>
</section>`
}

function figureRow({ name, images, captions, t2i, i2t, model }: ReportFigure): string {
  const cells = [t2i, i2t].flatMap((r) => [r?.r1.toFixed(1), r?.r5.toFixed(1), r?.r10.toFixed(1), r?.medianRank])
  const numbers = [images, captions, ...cells].map((cell) => `<td>${cell ?? '–'}</td>`).join('')
  return `<tr${model ? ' class="model"' : ''}><th scope="row">${escape(name)}</th>${numbers}</tr>`
}

function curves(steps: readonly StepPoint[], evaluations: readonly EvaluationPoint[]): string {
  const charts = curvesOf(steps, evaluations)
  if (charts.length === 0) return ''
  return `<section>\n<h2>Curves</h2>\n<div class="charts">\n${charts.map(figure).join('\n')}\n</div>\n</section>`
}

function figure(chart: Chart): string {
  const key = ({ label, color, dashed }: Chart['lines'][number]) =>
    `<span class="key" style="border-top: 2px ${dashed ? 'dashed' : 'solid'} ${color}"></span>${escape(label)}`
  const legend = chart.lines.map((line) => `<span>${key(line)}</span>`).join('')
  return `<figure>
<figcaption><strong>${escape(chart.title)}</strong><span class="legend">${legend}</span></figcaption>
${drawChart(chart)}
</figure>`
}

function retrievalGrid(retrievals: readonly RetrievalRow[]): string {
  const image = ({ png, score, correct }: RetrievalRow['results'][number], i: number) => {
    const source = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
    const says = `${i + 1}, ${correct ? 'right' : 'wrong'}`
    return `<li${correct ? ' class="right"' : ''}><img src="${source}" alt="${says}"><span>${score.toFixed(2)}</span></li>`
  }
  const row = ({ query, results }: RetrievalRow) =>
    `<article><h3>${escape(query)}</h3><ol>${results.map(image).join('')}</ol></article>`
  return `<section>
<h2>Asked for, and found</h2>
<p class="note">The best images for each text, best first, with their cosine; the right one is framed.</p>
<div class="retrievals">
${retrievals.map(row).join('\n')}
</div>
</section>`
}
