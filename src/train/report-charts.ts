/**
 * The curves of a run as SVG text, for report.ts: Observable Plot drawing into linkedom's document. Colours are CSS
 * variables of the page, so that one drawing serves light and dark.
 */
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

export interface Line {
  label: string
  /** A CSS colour, e.g. `var(--blue)`. */
  color: string
  dashed?: boolean
  /** Draws the mean of neighbouring points, the points themselves faintly behind it. */
  smooth?: boolean
  points: { step: number; value: number }[]
}

export interface Chart {
  title: string
  /** Title of the vertical axis, with its unit. */
  axis: string
  /** Percent: the axis starts at 0. */
  percent?: boolean
  lines: Line[]
}

const WIDTH = 560
const HEIGHT = 280
/** A smoothed line averages this share of its points. */
const SMOOTHING = 1 / 40

/** One chart as an <svg> element. Points that are not finite are left out. */
export function drawChart({ title, axis, percent, lines }: Chart): string {
  const { document } = parseHTML('<html><body></body></html>')
  const svg = Plot.plot({
    document: document as unknown as Document,
    width: WIDTH,
    height: HEIGHT,
    marginTop: 30,
    marginLeft: 48,
    marginBottom: 40,
    ariaLabel: title,
    style: { fontSize: '12px', background: 'none' },
    x: { label: 'step', labelArrow: 'none', labelAnchor: 'center', ticks: 6, tickSize: 0, zero: true },
    y: { label: axis, labelArrow: 'none', grid: true, ticks: 6, tickSize: 0, zero: percent, nice: true },
    marks: lines.flatMap(marksOf),
  })
  return (svg as unknown as Element).outerHTML
}

function marksOf({ points, color, dashed, smooth }: Line): Plot.Markish[] {
  const finite = points.filter(({ value }) => Number.isFinite(value))
  const channels = { x: 'step', y: 'value', stroke: color }
  if (!smooth) {
    const line = Plot.line(finite, { ...channels, strokeWidth: 2, strokeDasharray: dashed ? '5 4' : undefined })
    return [line, Plot.dot(finite, { x: 'step', y: 'value', r: 2.5, fill: color })]
  }
  const k = Math.max(1, Math.round(finite.length * SMOOTHING))
  return [
    Plot.line(finite, { ...channels, strokeWidth: 1, strokeOpacity: 0.25 }),
    Plot.line(finite, Plot.windowY({ k, anchor: 'middle' }, { ...channels, strokeWidth: 2 })),
  ]
}
