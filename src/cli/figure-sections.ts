/**
 * All figures of an evaluation in tables, the same on a terminal and on a page: retrieval, matching, captions, text. A row
 * for the model, one for its float twin where there is one, and what chance or a ceiling is. A model has the tables of
 * what it was trained for.
 */
import { count } from '../base/readable.ts'
import type { EvaluationReport, Hardness } from '../evaluate/evaluation.ts'
import { DRAWN_FROM } from '../evaluate/pairs.ts'
import { BEAMS, EPISODE } from '../evaluate/together.ts'
import {
  figureRows,
  models,
  retrievalSection,
  sectionTable,
  type FigureSection,
  type RecordedResult,
} from './figures.ts'
import { indent } from './table.ts'

type Rows = FigureSection['rows']

/** A table for each part that was measured. */
export function figureSections(name: string, result: RecordedResult): FigureSection[] {
  return [
    retrievalSection(figureRows(name, result)),
    ...(result.matching ? [matchingSection(name, result)] : []),
    ...(result.captioning ? [captionSection(name, result, result.captioning.greedy.ciderCeiling)] : []),
    ...(result.text ? [textSection(name, result)] : []),
  ]
}

/** The sections for a terminal. */
export function sectionsText(sections: readonly FigureSection[]): string {
  return sections.map((section) => `${section.title}, ${section.unit}\n${indent(sectionTable(section))}`).join('\n\n')
}

function matchingSection(name: string, result: RecordedResult): FigureSection {
  const of = (group: string, kind: Hardness): Rows =>
    rowsOf(name, result, group, ({ matching }) => {
      if (!matching) return undefined
      const { balanced, accuracy, n } = matching[kind]
      return [balanced.toFixed(1), accuracy.toFixed(1), count(n)]
    })
  return {
    title: 'Matching',
    unit: 'percent of the pairs that are told right',
    note:
      'Every caption with its picture, every picture with a wrong caption, every caption with a wrong picture. Wrong ones ' +
      `are drawn at random; hard, as in training, from batches of ${DRAWN_FROM} by similarity; or are the most similar ones ` +
      'of all. Never of the same concept. Balanced: the mean over true and wrong pairs.',
    head: ['balanced', 'all', 'pairs'],
    rows: [
      ...of('random', 'random'),
      ...of('hard', 'hard'),
      ...of('hardest', 'hardest'),
      { group: 'always no', name: '', cells: ['50.0', '66.7', ''] },
    ],
  }
}

function captionSection(name: string, result: RecordedResult, ceiling: number): FigureSection {
  const of = (group: string, kind: 'greedy' | 'beam' | 'recalled'): Rows =>
    rowsOf(name, result, group, ({ captioning }) => {
      const scores = captioning?.[kind]
      if (!scores) return undefined
      const { exact, f1, bleu, cider } = scores
      return [...[exact, f1, ...bleu].map((percent) => percent.toFixed(1)), cider.toFixed(2)]
    })
  return {
    title: 'Captions',
    unit: 'in percent; CIDEr-D from 0 to 10',
    note:
      'Against the true captions: equal, words in common without articles, BLEU, CIDEr-D, whose ceiling is what true ' +
      `captions reach. With memory: it was taught ${EPISODE} pairs, this picture with its caption among them, and is read ` +
      'by the code of the pair, as in training. This is remembering, not describing.',
    head: ['exact', 'words F1', 'BLEU-1', 'BLEU-2', 'BLEU-3', 'BLEU-4', 'CIDEr-D'],
    rows: [
      ...of('greedy', 'greedy'),
      ...of(`beam ${BEAMS}`, 'beam'),
      ...of('greedy, with memory', 'recalled'),
      { group: 'ceiling', name: '', cells: [...Array<string>(6).fill(''), ceiling.toFixed(2)] },
    ],
  }
}

function textSection(name: string, result: RecordedResult): FigureSection {
  const of = (group: string, kind: 'plain' | 'recalled'): Rows =>
    rowsOf(name, result, group, ({ text }) => {
      const scores = text?.[kind]
      return scores && [scores.perplexity.toFixed(2), scores.tokenAccuracy.toFixed(1)]
    })
  return {
    title: 'Text',
    unit: 'the next token of the true caption',
    note: 'Perplexity, and the share of tokens that the model holds for the likeliest, in percent. With memory: as above.',
    head: ['perplexity', 'right'],
    rows: [...of('without memory', 'plain'), ...of('with memory', 'recalled')],
  }
}

/** A row for the model and one for its twin, where they have the cells. */
function rowsOf(
  name: string,
  result: RecordedResult,
  group: string,
  cellsOf: (report: EvaluationReport) => string[] | undefined,
): Rows {
  return models(name, result).flatMap(({ name, report }) => {
    const cells = cellsOf(report)
    return cells ? [{ group, name, cells }] : []
  })
}
