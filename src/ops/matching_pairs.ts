/**
 * The pairs that image-text matching judges (model.md section 8): every pair of the batch, every image with a text that
 * is not its own, and every text with an image that is not its own. Rows to be taken, not the samples themselves.
 */
import type { Builder } from '../graph/builder.ts'
import type { CaseInput, Op, Value } from '../graph/graph.ts'
import { times } from '../base/shape.ts'
import { requireThat } from '../base/errors.ts'
import { given } from './shared.ts'

/**
 * textRows  = [0..B-1, textNegative, 0..B-1]
 * imageRows = [0..B-1, 0..B-1, imageNegative]
 * labels    = [1, 0, 0], each B times; where a negative is -1, its pair is the own one with label -1
 * in   textNegative [B] i32 - per image, imageNegative [B] i32 - per text: a row of the samples, or -1
 * out  textRows [3B] i32, imageRows [3B] i32, labels [3B] i32
 */
export const matchingPairsOp: Op = {
  name: 'matching_pairs',
  infer(inputs) {
    const [B] = given(inputs, 0, 'matching_pairs').shape
    const images = given(inputs, 1, 'matching_pairs').shape
    requireThat(images[0] === B, 'matching_pairs', `imageNegative must have shape [${B}]`, images)
    return [0, 1, 2].map(() => ({ shape: [times(3, B)], dtype: 'i32' }))
  },
  reference([textNegative, imageNegative], [textRows, imageRows, labels]) {
    const own = [...textNegative!.data.keys()]
    const negatives = [textNegative!, imageNegative!].map(({ data }) => own.map((r) => (data[r] < 0 ? r : data[r])))
    textRows.data.set([...own, ...negatives[0], ...own])
    imageRows.data.set([...own, ...own, ...negatives[1]])
    const unlike = [...textNegative!.data, ...imageNegative!.data].map((row) => (row < 0 ? -1 : 0))
    labels.data.set([...own.map(() => 1), ...unlike])
  },
  lower({ inputs, outputs }, to) {
    to.call('matching_pairs__i32', ...[...inputs, ...outputs].map((value) => to.at(value)), inputs[0]!.shape[0])
  },
  cases: [
    pairsCase('alone', [-1], [-1]),
    pairsCase('batch', [2, 0, 1], [1, 2, 0]),
    pairsCase('some_without', [4, -1, 0, 9, -1], [-1, 3, 1, -1, 12]),
  ],
}

function pairsCase(name: string, textNegative: number[], imageNegative: number[]): Op['cases'][number] {
  const rows = (values: number[]): CaseInput => ({ shape: [values.length], dtype: 'i32', kind: 'values', values })
  return { name, inputs: [rows(textNegative), rows(imageNegative)] }
}

/** Rows and labels [3B] i32 of all pairs, from the negatives [B] i32 of every image and of every text. */
export function matchingPairs(
  b: Builder,
  textNegative: Value,
  imageNegative: Value,
): { textRows: Value; imageRows: Value; labels: Value } {
  const [textRows, imageRows, labels] = b.apply(matchingPairsOp, [textNegative, imageNegative])
  return { textRows, imageRows, labels }
}
