/**
 * The demo for a terminal of 80 columns, on one screen: every second of the phrases and pictures that the page has. What
 * is wrong is shown like what is right.
 */
import { bytesText, count, threadsText } from '../base/readable.ts'
import { isPreferred, isRecalled, type CallTime, type Demo, type Found, type Named, type Teaching } from './demo-run.ts'
import type { Recollection } from '../index.ts'
import { indent, table } from './table.ts'

/** Of each list, every second entry; of the pictures that were found, the best two. */
const EVERY = 2
const FOUND = 2
/** Longer names and captions are cut, the narrow ones in the table of four columns with words. */
const [WIDE, NARROW] = [22, 14]

export function demoText(demo: Demo): string {
  const { info, artist, pictures, teaching } = demo
  const head =
    `${info.name}: ${bytesText(info.fileBytes)}, ${count(info.parameters.total)} parameters; ` +
    `${info.isa} kernels, ${threadsText(info.threads)}\n` +
    `These drawings are by ${artist.name}, an artist it never saw. * marks what is right.`
  return [
    head,
    section([`SEARCH ${pictures.length} pictures by a phrase: the best two, with their cosine`], askedTable(demo)),
    teaching
      ? section(['CAPTION a picture; MATCH it with its name and the most similar other, in percent'], shownTable(demo))
      : section(['NAME a picture: cosine of its name and of the most similar other'], shownTable(demo)),
    ...(teaching ? [teachingText(demo, teaching)] : []),
    ...recallText(demo),
    timesText(demo.times),
  ].join('\n\n')
}

function section(title: readonly string[], body: string): string {
  return `${title.join('\n')}\n${indent(body)}`
}

function askedTable({ asked, pictures }: Demo): string {
  const cell = ({ index, score, right }: Found) =>
    `${mark(right)}${score.toFixed(2)} ${cut(pictures[index].name, WIDE)}`
  const rows = asked.filter((_, i) => i % EVERY === 0)
  return table(rows.map(({ phrase, found }) => [phrase, ...found.slice(0, FOUND).map(cell)]))
}

function shownTable({ shown }: Demo): string {
  const value = ({ cosine, match }: Named) =>
    match === undefined ? cosine.toFixed(2) : (100 * match).toFixed(0).padStart(3)
  const rows = shown.filter((_, i) => i % EVERY === 0)
  return table(
    rows.map(({ picture, said, own, other }) => [
      cut(picture.name, WIDE),
      ...(said ? [`${mark(said.right)}${cut(said.text, WIDE)}`] : []),
      `${mark(isPreferred(own, other))}${value(own)}`,
      `${value(other)} ${cut(other.name, WIDE)}`,
    ]),
  )
}

function teachingText({ artist, teacher, pictures }: Demo, { lessons, scope, forgotten }: Teaching): string {
  const cell = (recalled: Recollection | null) => {
    if (recalled === null) return 'nothing'
    const { label, similarity, inScope } = recalled
    return `${similarity.toFixed(2)} ${inScope ? cut(label, NARROW - 2) : `(${cut(label, NARROW - 2)})`}`
  }
  const rows = lessons.map((lesson) => [
    cut(lesson.asked.name, WIDE),
    cut(lesson.before.said.text, NARROW),
    `${mark(isRecalled(lesson))}${cell(lesson.after.recalled)}`,
    cut(lesson.after.said.text, NARROW),
  ])
  const right = lessons.filter(isRecalled).length
  const notes = [
    `Nearest right: ${right} of ${lessons.length}, where chance is 1. Before, all recalled nothing.`,
    ...(scope
      ? [
          `In brackets: not sure, below ${scope.threshold.toFixed(2)}; ` +
            `${scope.mistaken} of ${pictures.length} other drawings reach it.`,
        ]
      : []),
    `With ${cut(lessons[0].asked.name, WIDE)} forgotten, in ${forgotten.ms.toFixed(1)} ms, its drawing recalls ${cell(forgotten.recalled)}.`,
  ]
  return section(
    [
      `TEACH ${lessons.length} things that training never showed, from one drawing each by ${teacher.name},`,
      `in one write, without back-propagation; then ask with drawings by ${artist.name}`,
    ],
    `${table([['', 'it said', '  it recalls', 'it now says'], ...rows])}\n${notes.join('\n')}`,
  )
}

/** How good the search is on all drawings of the artist, where the model's file has it. */
function recallText({ figures }: Demo): string[] {
  if (!figures) return []
  const { images, rows } = figures
  const [model, chance] = [rows[0], rows[rows.length - 1]]
  return [
    `Of all ${count(images)} drawings by this artist, a name finds its own first in ${model.t2i.r1.toFixed(1)} %, ` +
      `a drawing\nits name in ${model.i2t.r1.toFixed(1)} % (chance: ${chance.t2i.r1.toFixed(1)} %). ` +
      'More figures: npm run bitgen -- info',
  ]
}

function timesText(times: readonly CallTime[]): string {
  const rows = [
    ['milliseconds', ...times.map(({ call }) => call)],
    ['  median', ...times.map(({ median }) => median.toFixed(1))],
    ['  first call', ...times.map(({ first }) => first.toFixed(1))],
  ]
  return table(
    rows,
    times.map((_, i) => i + 1),
  )
}

/** Before what is right, and as wide before what is not. */
function mark(right: boolean): string {
  return right ? '* ' : '  '
}

/** One line, not longer than `most`. */
function cut(text: string, most: number): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > most ? `${line.slice(0, most - 1)}…` : line
}
