/**
 * `npm run bench -- report`: everything in bench/results as one HTML file without scripts or references, readable
 * offline, in light and in dark. Pages of results that a browser gave fit in as well.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ISAS } from '../src/abi.ts'
import { escape } from '../src/base/html.ts'
import { REPORT_STYLE } from '../src/train/report-style.ts'
import { ENTRIES, type Entry } from './load.ts'
import { describe, type Machine } from './machine.ts'
import { drawBars, type Bar, type BarChart } from './report-bars.ts'
import type { ProfileRow } from './profile.ts'
import { readResults, RESULTS, type Results } from './results.ts'

/** Kernel families below this share of a time are left out of its chart. */
const SMALL = 0.01

/** Writes the page. Throws where the folder has a file that is none of results. */
export function writeReport(path: string): void {
  const files = readdirSync(RESULTS).filter((file) => ISAS.some((isa) => file.endsWith(`-${isa}.json`)))
  const all = files.map((file) => readResults(join(RESULTS, file)))
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, reportPage(all))
}

/** The page as text. */
export function reportPage(all: readonly Results[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>BitGen: benchmarks</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<main>
<header>
<h1>BitGen: benchmarks</h1>
<p>One thread. Bars are the best of several samples for kernels and the median for everything else; the faint part
reaches to the 95th percentile. Compare shares of a peak, which was measured in the same run, rather than times.</p>
</header>
${all.map(resultsSection).join('\n')}
</main>
</body>
</html>
`
}

function resultsSection(results: Results): string {
  const { target } = results
  const sections = [results.kernels, results.model, results.train, results.load, results.size]
  const machine = sections.find((section) => section !== undefined)?.machine
  if (!machine) return ''
  const { cpu, engine } = machine
  return `<section>
<h2>${escape(`${cpu}, ${engine.replace(/,.*/, '')}, ${target}`)}</h2>
<p class="note">${escape(describe({ ...machine, load: null }))}</p>
${chartsOf(results).map(figure).join('\n')}
${sizes(results)}
</section>`
}

/** When something was measured, and what else the machine had to do. */
function when({ date, load, commit }: Machine): string {
  const busy = load === null ? '' : `, load ${load.toFixed(1)} before it`
  return `Measured on ${date}${busy}${commit === null ? '' : `, commit ${commit}`}.`
}

function figure({ chart, note }: { chart: BarChart; note: string }): string {
  return `<figure>
<figcaption><h3>${escape(chart.title)}</h3></figcaption>
${drawBars(chart)}
<p class="note">${escape(note)}</p>
</figure>`
}

/** The charts of one machine and target, each with a sentence below it. */
function chartsOf({ kernels, model, train, load }: Results): { chart: BarChart; note: string }[] {
  const charts: { chart: BarChart; note: string }[] = []
  if (kernels) {
    const bars = kernels.rows.map(({ name, shape: { M, K, N }, rate, unit, peak }): Bar => {
      const label = `${name.replace(/__(scalar|simd128|relaxed)/, '')} ${M} x ${K}${N === 0 ? '' : ` x ${N}`}`
      const share = (100 * rate) / peak.rate
      return { label, value: share, text: `${share.toFixed(0)} %, ${rate.toFixed(1)} ${unit} of ${peak.name}` }
    })
    const peaks = Object.entries(kernels.peaks).map(([name, rate]) => `${name} ${rate.toFixed(1)}`)
    charts.push({
      chart: { title: 'Kernels, M x K x N', axis: 'share of the peak (%)', bars, mark: 100 },
      note: `Peaks, GMAC/s and for copy GB/s: ${peaks.join(', ')}. ${when(kernels.machine)}`,
    })
  }
  if (model) {
    const bars = model.calls.map(({ name, ms, tokens }): Bar => {
      const rate = tokens ? `, ${Math.round((1000 * tokens) / ms.median)} tokens/s` : ''
      return { label: name, value: ms.median, most: ms.p95, text: `${ms.median.toPrecision(3)} ms${rate}` }
    })
    const { macs, gmacs, share, split, runs } = model.image
    const { promised, wasm } = model.memory
    const [plans, grown] = [promised, wasm].map((bytes) => `${(bytes / 1e6).toFixed(1)} MB`)
    charts.push({
      chart: { title: `${model.name}: calls`, axis: 'ms', bars },
      note: `Memory: ${plans} promised, ${grown} in WebAssembly. ${when(model.machine)}`,
    })
    const whole = split.reduce((sum, { ms }) => sum + ms, 0)
    if (whole > 0) {
      charts.push({
        chart: splitChart(`${model.name}: image to vector`, split, whole),
        note:
          `${(macs / 1e6).toFixed(1)} M multiply-accumulates at ${gmacs.toFixed(1)} GMAC/s; at the peaks they would ` +
          `take ${(100 * share).toFixed(0)} % of the time. Mean of ${runs} runs.`,
      })
    }
  }
  for (const { name, ms, imagesPerSecond, watched, matmuls } of train?.stages ?? []) {
    const { images, machine } = train!
    const kernelsMs = watched.split.reduce((sum, row) => sum + row.ms, 0)
    const split = [...watched.split, { family: 'host', calls: 0, ms: watched.ms - kernelsMs }]
    charts.push({
      chart: splitChart(`Training ${train!.name}, ${name}: ${images} images`, split, watched.ms),
      note:
        `${imagesPerSecond.toFixed(1)} images/s, ${ms.median.toFixed(0)} ms a step. Matmuls take ` +
        `${(100 * matmuls.share).toFixed(0)} % of it; those in float run at ${matmuls.gmacs.toFixed(1)} GMAC/s, ` +
        `${(100 * matmuls.ofPeak).toFixed(0)} % of the peak. ${when(machine)}`,
    })
  }
  for (const [entry, title] of load ? (Object.entries(ENTRIES) as [Entry, string][]) : []) {
    const { stages, totalMs, bytes } = load!.entries[entry]
    const rows = Object.entries({ ...stages, total: totalMs })
    const bars = rows.map(([label, { median, p95 }]): Bar => {
      return { label, value: median, most: p95, text: `${median.toFixed(1)} ms` }
    })
    charts.push({
      chart: { title: `Cold start, ${title}`, axis: 'ms', bars },
      note:
        `Best ${totalMs.min.toFixed(1)} ms. ${load!.processes} fresh processes, files in the cache of the system, ` +
        `${(bytes.median / 1e6).toFixed(0)} MB of memory. ${when(load!.machine)}`,
    })
  }
  return charts
}

function splitChart(title: string, split: readonly ProfileRow[], whole: number): BarChart {
  const bars = split.flatMap(({ family, ms, product }): Bar[] => {
    const share = (100 * ms) / whole
    if (share < 100 * SMALL) return []
    const rate = product ? product.macs / ms / 1e6 : 0
    const held = product ? `, ${rate.toFixed(1)} GMAC/s, ${((100 * rate) / product.peak).toFixed(0)} % of peak` : ''
    return [{ label: family, value: share, text: `${share.toFixed(1)} %${held}` }]
  })
  return { title, axis: 'share of the time (%)', bars }
}

function sizes({ size }: Results): string {
  if (!size) return ''
  const rows = size.rows.map(({ file, bytes, gzip, bound }) => {
    const cells = [bytes, gzip, bound ?? ''].map((cell) => `<td>${cell.toLocaleString('en-US')}</td>`)
    return `<tr><th scope="row">${escape(file)}</th>${cells.join('')}</tr>`
  })
  return `<div class="scroll"><table>
<thead><tr><th></th><th scope="col">bytes</th><th scope="col">gzip</th><th scope="col">gzip at most</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></div>`
}
