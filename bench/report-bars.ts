/** Bars of the report of results (report.ts) as SVG text: Observable Plot drawing into linkedom's document. */
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

export interface Bar {
  label: string
  value: number
  /** What is written behind the bar. */
  text: string
  /** A second, fainter bar from `value` to here. */
  most?: number
}

export interface BarChart {
  title: string
  /** Title of the horizontal axis, with its unit. */
  axis: string
  bars: Bar[]
  /** A line across all bars. */
  mark?: number
}

const WIDTH = 1100
const [ROW, LABELS, TEXTS] = [20, 300, 250]

/** One chart as an <svg> element; bars in the order given, from above. */
export function drawBars({ title, axis, bars, mark }: BarChart): string {
  const { document } = parseHTML('<html><body></body></html>')
  const end = ({ value, most }: Bar) => Math.max(value, most ?? 0)
  const svg = Plot.plot({
    document: document as unknown as Document,
    width: WIDTH,
    height: ROW * bars.length + 60,
    marginLeft: LABELS,
    marginRight: TEXTS,
    marginTop: 10,
    marginBottom: 40,
    ariaLabel: title,
    style: { fontSize: '12px', background: 'none' },
    x: {
      label: axis,
      labelArrow: 'none',
      labelAnchor: 'center',
      grid: true,
      ticks: 6,
      tickSize: 0,
      domain: [0, Math.max(mark ?? 0, ...bars.map(end))],
    },
    y: { label: null, tickSize: 0, domain: bars.map(({ label }) => label) },
    marks: [
      Plot.barX(bars, {
        x1: 'value',
        x2: end,
        y: 'label',
        fill: 'var(--blue)',
        fillOpacity: 0.3,
        insetTop: 1,
        insetBottom: 1,
      }),
      Plot.barX(bars, { x: 'value', y: 'label', fill: 'var(--blue)', insetTop: 1, insetBottom: 1 }),
      Plot.text(bars, { x: end, y: 'label', text: 'text', textAnchor: 'start', dx: 6 }),
      ...(mark === undefined ? [] : [Plot.ruleX([mark], { stroke: 'var(--orange)' })]),
    ],
  })
  return (svg as unknown as Element).outerHTML
}
